#include "faulty/faulty_file_system.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace haypile::faulty {

namespace {

constexpr std::array actions{"kill", "kill_after", "torn", "eio", "enospc", "skip"};
constexpr std::array operations{"write",    "read",   "sync",   "open",          "create",
                                "allocate", "rename", "remove", "sync_directory"};

template <class Names>
bool is_one_of(const Names& names, std::string_view name) {
  for (const std::string_view known : names) {
    if (known == name) return true;
  }
  return false;
}

// Returns the part of `text` before the separator; `text` becomes what follows the separator.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

void parse_fault(std::string_view text, Fault& fault) {
  const std::string whole(text);
  fault.action = take(text, ':');
  fault.operation = take(text, ':');
  fault.part = take(text, ':');
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fault.count);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || fault.count == 0 || !is_one_of(actions, fault.action) ||
      !is_one_of(operations, fault.operation)) {
    throw std::invalid_argument("not a fault: '" + whole + "'");
  }
}

[[noreturn]] void kill_process() {
  ::kill(::getpid(), SIGKILL);
  for (;;)
    ::pause();
}

[[noreturn]] void fail(std::string_view operation, const std::string& path, int error) {
  const std::string line = "cannot " + std::string(operation) + " '" + path +
                           "': " + std::generic_category().message(error);
  if (error == ENOSPC) throw log::NoSpace(line);
  throw log::IoError(line);
}

}  // namespace

std::deque<Fault> parse_faults(std::string_view text) {
  std::deque<Fault> faults;
  while (!text.empty())
    parse_fault(take(text, ','), faults.emplace_back());
  return faults;
}

class FaultyFile final : public log::File {
 public:
  FaultyFile(FaultyFileSystem& files, std::unique_ptr<log::File> file, std::string name)
      : path(std::move(name)), files_(files), file_(std::move(file)) {
    files_.add(*this);
  }
  ~FaultyFile() override { files_.remove(*this); }
  FaultyFile(const FaultyFile&) = delete;
  FaultyFile& operator=(const FaultyFile&) = delete;

  void allocate(std::uint64_t size) override {
    files_.perform("allocate", files_.path_of(*this), [&] { file_->allocate(size); });
  }
  void write(std::uint64_t offset, std::string_view bytes) override {
    files_.perform(
        "write", files_.path_of(*this), [&] { file_->write(offset, bytes); },
        [&] { file_->write(offset, bytes.substr(0, bytes.size() / 2)); });
  }
  void read(std::uint64_t offset, std::size_t size, std::string& to) override {
    files_.perform("read", files_.path_of(*this), [&] { file_->read(offset, size, to); });
  }
  std::uint64_t size() override { return file_->size(); }
  void sync() override {
    files_.perform("sync", files_.path_of(*this), [&] { file_->sync(); });
  }

  std::string path;  // protected by the file system's mutex

 private:
  FaultyFileSystem& files_;
  const std::unique_ptr<log::File> file_;
};

FaultyFileSystem::FaultyFileSystem(log::FileSystem& files, std::deque<Fault> faults)
    : files_(files), faults_(std::move(faults)) {}

void FaultyFileSystem::perform(std::string_view operation, const std::string& path,
                               const std::function<void()>& action,
                               const std::function<void()>& half) {
  for (Fault& fault : faults_) {
    if (fault.operation != operation || path.find(fault.part) == std::string::npos) continue;
    if (++fault.seen != fault.count) continue;
    std::cerr << "haypiled_faulty: " + fault.action + " at " + fault.operation + " of '" + path +
                     "'\n";
    if (fault.action == "skip") return;
    if (fault.action == "eio") fail(operation, path, EIO);
    if (fault.action == "enospc") fail(operation, path, ENOSPC);
    if (fault.action == "kill_after") action();
    if (fault.action == "torn" && half) half();
    kill_process();
  }
  action();
}

void FaultyFileSystem::add(FaultyFile& file) {
  const std::lock_guard lock(mutex_);
  open_.insert(&file);
}

void FaultyFileSystem::remove(FaultyFile& file) {
  const std::lock_guard lock(mutex_);
  open_.erase(&file);
}

std::string FaultyFileSystem::path_of(const FaultyFile& file) {
  const std::lock_guard lock(mutex_);
  return file.path;
}

void FaultyFileSystem::create_directory(const std::string& path) {
  files_.create_directory(path);
}

std::vector<std::string> FaultyFileSystem::list(const std::string& directory) {
  return files_.list(directory);
}

bool FaultyFileSystem::exists(const std::string& path) {
  return files_.exists(path);
}

// Opening cannot be skipped, because the caller needs a file.
std::unique_ptr<log::File> FaultyFileSystem::open(const std::string& path) {
  std::unique_ptr<log::File> file;
  perform("open", path, [&] { file = files_.open(path); });
  if (!file) fail("open", path, ENOENT);
  return std::make_unique<FaultyFile>(*this, std::move(file), path);
}

std::unique_ptr<log::File> FaultyFileSystem::create(const std::string& path) {
  std::unique_ptr<log::File> file;
  perform("create", path, [&] { file = files_.create(path); });
  if (!file) fail("create", path, ENOENT);
  return std::make_unique<FaultyFile>(*this, std::move(file), path);
}

void FaultyFileSystem::rename(const std::string& from, const std::string& to) {
  perform("rename", from + "' to '" + to, [&] { files_.rename(from, to); });
  const std::lock_guard lock(mutex_);
  for (FaultyFile* file : open_) {
    if (file->path == from) file->path = to;
  }
}

void FaultyFileSystem::remove(const std::string& path) {
  perform("remove", path, [&] { files_.remove(path); });
}

void FaultyFileSystem::sync_directory(const std::string& path) {
  perform("sync_directory", path, [&] { files_.sync_directory(path); });
}

}  // namespace haypile::faulty
