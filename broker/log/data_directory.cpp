#include "log/data_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/checkpoint.hpp"
#include "log/newest.hpp"
#include "log/pile.hpp"
#include "log/segment.hpp"

namespace haypile::log {

namespace {

constexpr std::uint64_t text_size_max = std::uint64_t{64} << 20;

std::string joined(const std::string& directory, const std::string& name) {
  return directory + "/" + name;
}

std::vector<std::string> list_if_there(FileSystem& files, const std::string& directory) {
  return files.exists(directory) ? files.list(directory) : std::vector<std::string>{};
}

std::string read_text(FileSystem& files, const std::string& path) {
  const auto file = files.open(path);
  file->sync();
  return file->read(0, std::min(file->size(), text_size_max));
}

// The id in the header of a segment or pile; nothing if the header is damaged.
std::optional<DirectoryId> id_in_header(FileSystem& files, const std::string& directory,
                                        const std::string& name) {
  if (!segment_number(name) && !pile_number(name)) return std::nullopt;
  try {
    const std::string header = files.open(joined(directory, name))->read(0, segment_header_size);
    static_assert(segment_header_size == pile_header_size);
    DirectoryId id{};
    if (header.size() < segment_header_size) return std::nullopt;
    std::ranges::copy(header.substr(16, id.size()), id.begin());
    const std::size_t summed = segment_header_size - 8;
    if (get_u64(header, summed) != checksum(header.substr(0, summed), id, 0)) return std::nullopt;
    return id;
  } catch (const IoError&) {
    return std::nullopt;
  }
}

}  // namespace

DataDirectory::DataDirectory(const std::filesystem::path& path, FileSystem& files)
    : path_(path.string()), files_(files) {
  create_directories(files_, path_);
  tighten();
  lock();
  try {
    read();
    check_vhosts();
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

DataDirectory::~DataDirectory() {
  ::close(lock_);
}

// A directory that has other things in it may be a home directory or belong to the system, so it is
// not changed.
void DataDirectory::tighten() {
  constexpr mode_t others = 077;
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0 || (status.st_mode & others) == 0) return;
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777));
  const std::string was = "data directory '" + path_ + "' was open to others (" + mode + ")";
  if (!is_ours()) {
    notice_ = was + " and is left so, since there are other things in it";
  } else if (::chmod(path_.c_str(), 0700) == 0) {
    notice_ = was + ", and is 0700 now";
  } else {
    notice_ = was + ", and cannot be closed to them: " + std::generic_category().message(errno);
  }
}

// Whether it was a data directory before, or is empty, as a new file system is.
bool DataDirectory::is_ours() {
  if (files_.exists(path_ + "/id")) return true;
  return std::ranges::all_of(files_.list(path_), [](const std::string& name) {
    return name == "lost+found" || name == "lock";
  });
}

// The lock belongs to the open file, so that it also refuses a second user in the same process. The
// system removes it when the process ends, in whatever way.
void DataDirectory::lock() {
  const std::string name = path_ + "/lock";
  lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ >= 0) ::fchmod(lock_, 0600);
  if (lock_ < 0) {
    throw IoError("cannot open '" + name + "': " + std::generic_category().message(errno));
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(lock_);
  if (error == EWOULDBLOCK) {
    throw IoError("data directory '" + path_ + "' is in use by another broker");
  }
  throw IoError("cannot lock '" + name + "': " + std::generic_category().message(error));
}

// Version 4 and older had no file `contents`.
void DataDirectory::read() {
  const std::string id_path = path_ + "/" + id_name;
  const std::string path = path_ + "/" + contents_name;
  const bool has_id = files_.exists(id_path);
  const bool has_contents = files_.exists(path);
  if (!has_id && has_contents) throw DamageError("'" + id_path + "' is missing");
  if (!has_id) return create_id();
  const auto id = decode_id(read_text(files_, id_path));
  if (!id) throw DamageError("'" + id_path + "' is damaged, or of another version of Haypile");
  if (has_contents) {
    const auto contents = decode_contents(read_text(files_, path), path);
    if (!contents) throw DamageError("'" + path + "' is damaged: its checksum does not match");
    if (contents->id != *id) {
      throw DamageError("'" + id_path + "' is damaged: it is not the id in '" + path + "'");
    }
    contents_ = *contents;
    return;
  }
  contents_.id = *id;
  const std::string vhosts = path_ + "/" + vhosts_name;
  const auto has_data = [&](const std::string& entry) {
    return files_.exists(joined(joined(vhosts, entry), newest_name));
  };
  if (std::ranges::any_of(list_if_there(files_, vhosts), has_data)) {
    throw DamageError("'" + path + "' is missing, but there is data in '" + vhosts + "'");
  }
  write_contents();
}

void DataDirectory::create_id() {
  const std::string vhosts = path_ + "/" + vhosts_name;
  if (files_.exists(vhosts)) {
    throw DamageError("'" + path_ + "/" + id_name + "' is missing, but there is data in '" +
                      vhosts + "'");
  }
  DirectoryId& id = contents_.id;
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    throw IoError("the system gives no random numbers");
  }
  replace_file(files_, path_, id_name, encode_id(id));
  write_contents();
}

void DataDirectory::check_vhosts() {
  for (const std::string& vhost : contents_.vhosts) {
    const std::string path = path_of(vhost);
    if (!files_.exists(path)) throw DamageError("'" + path + "' is missing");
    const std::string newest = path + "/" + newest_name;
    if (!files_.exists(newest)) throw DamageError("'" + newest + "' is missing");
  }
}

void DataDirectory::write_contents() {
  replace_file(files_, path_, contents_name, encode_contents(contents_));
}

std::string DataDirectory::vhost_directory(const std::string& name) {
  std::string path = path_of(name);
  create_directories(files_, path);
  return path;
}

void DataDirectory::add_vhost(const std::string& name) {
  if (contents_.vhosts.insert(name).second) write_contents();
}

ExistingDirectory::ExistingDirectory(std::string path, FileSystem& files, Use use)
    : path_(std::move(path)), files_(files) {
  if (!files_.exists(path_)) throw IoError("there is no directory '" + path_ + "'");
  const auto has = [this](const char* name) { return files_.exists(path_ + "/" + name); };
  if (!has(id_name) && !has(contents_name) && !has(vhosts_name)) {
    throw IoError("'" + path_ + "' is not a data directory: it has no 'id'");
  }
  lock(use);
  try {
    find_vhosts();
    find_id();
  } catch (...) {
    if (lock_ >= 0) ::close(lock_);
    throw;
  }
}

ExistingDirectory::~ExistingDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

void ExistingDirectory::lock(Use use) {
  const std::string name = path_ + "/lock";
  lock_ = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (lock_ < 0 && errno == ENOENT) return;
  if (lock_ < 0) {
    throw IoError("cannot open '" + name + "': " + std::generic_category().message(errno));
  }
  if (::flock(lock_, (use == Use::look ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(lock_);
  if (error == EWOULDBLOCK) throw IoError("data directory '" + path_ + "' is in use by a broker");
  throw IoError("cannot lock '" + name + "': " + std::generic_category().message(error));
}

// Notes at most one damage for each file.
void ExistingDirectory::add_damage(const std::string& name, const std::string& what) {
  const std::string path = path_ + "/" + name;
  if (std::ranges::find(damages_, path, &Damage::file) != damages_.end()) return;
  damages_.push_back({.file = path, .what = what});
}

// Returns an empty text if the file cannot be read, which is damage.
std::string ExistingDirectory::read(const std::string& name) {
  try {
    return read_text(files_, path_ + "/" + name);
  } catch (const IoError&) {
    add_damage(name, files_.exists(path_ + "/" + name) ? "cannot be read" : "is missing");
    return "";
  }
}

void ExistingDirectory::find_vhosts() {
  const std::string vhosts = path_ + "/" + vhosts_name;
  try {
    for (const std::string& entry : list_if_there(files_, vhosts)) {
      // Shortened names are only known from `contents`.
      if (const auto name = vhost_name(entry)) vhosts_.push_back({*name, joined(vhosts, entry)});
    }
  } catch (const IoError&) {
    add_damage(vhosts_name, "cannot be listed");
  }
  const std::string path = path_ + "/" + contents_name;
  if (!files_.exists(path)) return;
  const auto contents = decode_contents(read(contents_name), path);
  if (!contents) return;
  for (const std::string& name : contents->vhosts) {
    const std::string directory = directory_name(name);
    const std::string relative = std::string(vhosts_name) + "/" + directory;
    if (!files_.exists(path_ + "/" + relative)) {
      add_damage(relative, "is missing");
      continue;
    }
    if (!files_.exists(path_ + "/" + relative + "/" + newest_name)) {
      add_damage(relative + "/" + newest_name, "is missing");
    }
    if (!vhost_name(directory)) {
      vhosts_.push_back({name, joined(vhosts, directory)});
    }
  }
  std::ranges::sort(vhosts_, {}, &VhostPath::name);
}

// Most files, including `id` and `contents`, decide over one damaged file.
void ExistingDirectory::find_id() {
  std::map<DirectoryId, std::size_t> votes;
  bool is_version_5 = false;
  for (const VhostPath& vhost : vhosts_) {
    try {
      for (const std::string& name : files_.list(vhost.path)) {
        is_version_5 = is_version_5 || name == newest_name;
        if (const auto id = id_in_header(files_, vhost.path, name)) ++votes[*id];
      }
    } catch (const IoError&) {
      continue;  // the inspection of that virtual host reports it
    }
  }
  const auto id = decode_id(read(id_name));
  // Headers have checksums. The file `id` has none, so that it counts only if there is no header.
  if (id && votes.empty()) ++votes[*id];
  const std::string path = path_ + "/" + contents_name;
  std::optional<Contents> contents;
  if (files_.exists(path) || is_version_5) contents = decode_contents(read(contents_name), path);
  if (contents) {
    contents_ = *contents;
  } else if (!votes.empty()) {
    contents_.id = std::ranges::max_element(votes, {}, &decltype(votes)::value_type::second)->first;
  }
  if (!id || *id != contents_.id) add_damage(id_name, "is damaged: it is not the id of the files");
  if (!contents && (files_.exists(path) || is_version_5)) {
    add_damage(contents_name, "is damaged: its checksum does not match");
  }
}

void ExistingDirectory::repair() {
  contents_.vhosts.clear();
  for (const VhostPath& vhost : vhosts_) {
    if (files_.exists(vhost.path + "/" + newest_name)) contents_.vhosts.insert(vhost.name);
  }
  replace_file(files_, path_, id_name, encode_id(contents_.id));
  replace_file(files_, path_, contents_name, encode_contents(contents_));
}

}  // namespace haypile::log
