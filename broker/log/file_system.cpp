#include "log/file_system.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/canary.hpp"

namespace haypile::log {

namespace {

// Only the owner of the files may read them.
constexpr mode_t file_mode = 0600;
constexpr mode_t directory_mode = 0700;

[[noreturn]] void fail(const char* action, const std::string& path, int error) {
  const std::string line = std::string("cannot ") + action + " '" + path +
                           "': " + std::generic_category().message(error);
  if (error == ENOSPC || error == EDQUOT) throw NoSpace(line);
  throw IoError(line);
}

class PosixFile final : public File {
 public:
  PosixFile(const std::string& path, int flags)
      : path_(path),
        is_read_only_((flags & (O_ACCMODE | O_DIRECTORY)) == O_RDONLY),
        descriptor_(::open(path.c_str(), flags | O_CLOEXEC, file_mode)) {
    if (descriptor_ < 0) fail("open", path_, errno);
    if ((flags & O_CREAT) != 0) set_mode();
  }
  ~PosixFile() override { ::close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  void allocate(std::uint64_t size) override {
    int error = EINTR;
    while (error == EINTR)
      error = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(size));
    if (error != 0) fail("make room for", path_, error);
  }

  void write(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t count =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0) {
        if (errno == EINTR) continue;
        fail("write to", path_, errno);
      }
      offset += static_cast<std::uint64_t>(count);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  void read(std::uint64_t offset, std::size_t size, std::string& to) override {
    to.resize(size);
    std::size_t done = 0;
    while (done < size) {
      const ssize_t count =
          ::pread(descriptor_, to.data() + done, size - done, static_cast<off_t>(offset + done));
      if (count < 0) {
        if (errno == EINTR) continue;
        fail("read from", path_, errno);
      }
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    to.resize(done);
  }

  std::uint64_t size() override {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) fail("look at", path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

  void sync() override {
    if (is_read_only_) return;
    if (::fdatasync(descriptor_) != 0) fail("sync", path_, errno);
  }

 private:
  // Sets the mode whatever the umask is, and whatever the file's mode was before.
  void set_mode() {
    if (::fchmod(descriptor_, file_mode) == 0) return;
    const int error = errno;
    ::close(descriptor_);
    fail("set the permissions of", path_, error);
  }

  std::string path_;
  bool is_read_only_;
  int descriptor_;
};

}  // namespace

// Works from the top down: a name is on disk before anything below it is created.
void create_directories(FileSystem& files, const std::string& path) {
  if (path.empty() || files.exists(path)) return files.create_directory(path.empty() ? "." : path);
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (parent == path) return files.create_directory(path);
  if (!parent.empty()) create_directories(files, parent.string());
  files.create_directory(path);
  files.sync_directory(parent.empty() ? "." : parent.string());
}

void replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                  std::string_view bytes) {
  const std::string path = directory + "/" + name;
  const std::string temporary = path + ".tmp";
  const auto file = files.create(temporary);
  file->write(0, bytes);
  if (!HAYPILE_CANARY(checkpoint_not_synced)) file->sync();
  files.rename(temporary, path);
  files.sync_directory(directory);
}

void PosixFileSystem::create_directory(const std::string& path) {
  // Sets the mode whatever the umask is: only the owner may read what is kept.
  struct stat status {};
  const char* name = path.c_str();
  if (::mkdir(name, directory_mode) == 0 && ::chmod(name, directory_mode) == 0) return;
  const int error = errno;
  if (error == EEXIST && ::stat(name, &status) == 0 && S_ISDIR(status.st_mode)) return;
  fail("create directory", path, error);
}

std::vector<std::string> PosixFileSystem::list(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) fail("list", directory, error.value());
  return names;
}

bool PosixFileSystem::exists(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) fail("look at", path, errno);
  return false;
}

std::unique_ptr<File> PosixFileSystem::open(const std::string& path) {
  return std::make_unique<PosixFile>(path, O_RDWR);
}

std::unique_ptr<File> PosixFileSystem::create(const std::string& path) {
  return std::make_unique<PosixFile>(path, O_RDWR | O_CREAT | O_TRUNC);
}

void PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail("rename", from, errno);
}

void PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) fail("remove", path, errno);
}

void PosixFileSystem::sync_directory(const std::string& path) {
  PosixFile(path, O_RDONLY | O_DIRECTORY).sync();
}

std::uint64_t PosixFileSystem::free_bytes(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) fail("look at the disk of", path, errno);
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

void ReadOnlyFileSystem::create_directory(const std::string& path) {
  fail("create directory", path, EROFS);
}

std::vector<std::string> ReadOnlyFileSystem::list(const std::string& directory) {
  return PosixFileSystem().list(directory);
}

bool ReadOnlyFileSystem::exists(const std::string& path) {
  return PosixFileSystem().exists(path);
}

std::unique_ptr<File> ReadOnlyFileSystem::open(const std::string& path) {
  return std::make_unique<PosixFile>(path, O_RDONLY);
}

std::unique_ptr<File> ReadOnlyFileSystem::create(const std::string& path) {
  fail("create", path, EROFS);
}

void ReadOnlyFileSystem::rename(const std::string& from, const std::string&) {
  fail("rename", from, EROFS);
}

void ReadOnlyFileSystem::remove(const std::string& path) {
  fail("remove", path, EROFS);
}

void ReadOnlyFileSystem::sync_directory(const std::string& path) {
  fail("sync", path, EROFS);
}

std::uint64_t ReadOnlyFileSystem::free_bytes(const std::string& path) {
  return PosixFileSystem().free_bytes(path);
}

}  // namespace haypile::log
