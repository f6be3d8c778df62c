#include "daemon/salvage_command.hpp"

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>

#include "daemon/check_command.hpp"
#include "daemon/damage_text.hpp"
#include "daemon/shown.hpp"
#include "log/data_directory.hpp"
#include "log/salvage.hpp"

namespace haypile {

namespace {

using VhostPath = log::ExistingDirectory::VhostPath;

// A suffix that no vhost's directory has, because their names contain no dot.
constexpr const char* new_suffix = ".salvaged";

std::string kept_name() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "salvage-%Y%m%d-%H%M%S", &parts);
  return text;
}

bool is_in_segment(const log::Damage& damage) {
  return damage.file.ends_with(".seg");
}

void print_losses(const VhostPath& vhost, const log::InspectionReport& report, bool apply) {
  std::uint64_t known_count = 0;
  bool is_all_known = true;
  bool is_log_damaged = false;
  std::cout << "vhost " << shown(vhost.name) << ": " << (apply ? "dropping" : "would drop") << '\n';
  for (const log::Damage& damage : report.damages) {
    std::cout << "  " << damage_text(damage) << '\n';
    known_count += damage.message_count.value_or(0);
    is_all_known = is_all_known && damage.message_count.has_value();
    is_log_damaged = is_log_damaged || is_in_segment(damage) || !damage.message_count;
  }
  std::cout << "  lost: ";
  if (known_count != 0 || is_all_known) std::cout << known_count << " messages";
  if (known_count != 0 && !is_all_known) std::cout << ", and ";
  if (!is_all_known) std::cout << "what stood where no number of messages can be given";
  std::cout << '\n';
  for (const std::string& name : report.adopted_queues) {
    std::cout << "  queue " << shown(name)
              << " gets its messages, without arguments and bindings: its "
              << "declaration is lost\n";
  }
  std::uint64_t left = 0;
  for (const auto& [name, counts] : report.queues)
    left += counts.in_log + counts.in_piles;
  std::cout << "  left: " << left << " messages in " << report.queues.size()
            << " queues; all count as delivered before\n";
  if (is_log_damaged) {
    std::cout << "  acknowledgements may be lost: such messages may be delivered again\n";
  }
}

void rename(const std::string& from, const std::string& to) {
  std::filesystem::rename(from, to);
}

// Exchanges two directories in one step if the file system can do that. Then there is always a log
// under the vhost's name. Where it cannot, the name between is made of that of `a`, which is no
// vhost's, so that an interruption leaves nothing that a start would take for another vhost.
void exchange(const std::string& a, const std::string& b) {
  if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS) {
    throw log::IoError("cannot exchange '" + a + "' and '" + b +
                       "': " + std::generic_category().message(errno));
  }
  const std::string between = a + "-2";
  rename(b, between);
  rename(a, b);
  rename(between, a);
}

// Replaces the vhost's log by a new one with everything that could be read, and keeps the old one
// below `kept`. The new log is complete and synced before the exchange. So where exchange() is one
// step, an interrupted salvage leaves the old log or the new one in place.
void repair(log::FileSystem& files, const log::ExistingDirectory& directory, const VhostPath& vhost,
            log::LogInspector& inspector, const std::string& kept) {
  const std::string vhosts = directory.path() + "/vhosts";
  const std::string fresh = vhost.path + new_suffix;
  const std::string kept_vhost = kept + vhost.path.substr(directory.path().size());
  log::create_directories(files, kept + "/vhosts");
  // A salvage that was interrupted has left this: it may be the original.
  if (files.exists(fresh)) rename(fresh, kept_vhost + new_suffix);
  log::create_directories(files, fresh);
  log::write_salvaged(inspector, files, vhost.path, fresh, directory.id());
  log::LogInspector result(files, fresh, directory.id());
  result.run();
  if (!result.report().damages.empty()) {
    throw log::IoError("what was written to '" + fresh + "' cannot be read: nothing was changed");
  }
  files.sync_directory(fresh);
  files.sync_directory(kept);
  files.sync_directory(directory.path());
  files.sync_directory(vhosts);
  exchange(fresh, vhost.path);
  files.sync_directory(vhosts);
  rename(fresh, kept_vhost);
  files.sync_directory(kept + "/vhosts");
  files.sync_directory(vhosts);
}

// Repairs the top of the directory. Nothing is lost by that except vhosts that are missing.
void repair_top(log::FileSystem& files, log::ExistingDirectory& directory,
                const std::string& kept) {
  log::create_directories(files, kept);
  for (const char* name : {log::id_name, log::contents_name}) {
    const std::string path = directory.path() + "/" + name;
    if (files.exists(path)) rename(path, kept + "/" + name);
  }
  files.sync_directory(kept);
  directory.repair();
}

int run(const std::filesystem::path& path, bool apply) {
  log::ReadOnlyFileSystem looking;
  log::PosixFileSystem changing;
  log::FileSystem& files = apply ? static_cast<log::FileSystem&>(changing) : looking;
  log::ExistingDirectory directory(
      path.string(), files,
      apply ? log::ExistingDirectory::Use::change : log::ExistingDirectory::Use::look);
  const std::string kept = directory.path() + "/" + kept_name();
  std::size_t damaged_count = directory.damages().size();
  for (const log::Damage& damage : directory.damages()) {
    std::cout << "'" << damage.file << "' " << damage.what
              << (damage.file.find("/vhosts/") == std::string::npos
                      ? ": is written anew"
                      : ": all that was in it is lost")
              << '\n';
  }
  for (const VhostPath& vhost : directory.vhosts()) {
    log::LogInspector inspector(files, vhost.path, directory.id());
    inspector.run();
    if (inspector.report().damages.empty()) continue;
    ++damaged_count;
    print_losses(vhost, inspector.report(), apply);
    if (apply) repair(files, directory, vhost, inspector, kept);
  }
  if (apply && !directory.damages().empty()) repair_top(files, directory, kept);
  if (damaged_count == 0) {
    std::cout << "no damage: nothing to do\n";
    return exit_fine;
  }
  if (!apply) {
    std::cout << "nothing has been changed; with --yes it is\n";
    return exit_damaged;
  }
  std::cout << "done; the originals are in '" << shown(kept) << "'\n";
  return exit_fine;
}

}  // namespace

int salvage(const std::filesystem::path& directory, bool apply) {
  try {
    return run(directory, apply);
  } catch (const std::exception& error) {
    std::cerr << "haypiled: " << shown(error.what()) << '\n';
    return exit_unreadable;
  }
}

}  // namespace haypile
