// What the log asks of a file system; the tests have one that loses what was not synced.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace haypile::log {

// what() names the file, what was tried and why it failed.
class IoError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What stands there cannot be what was written: haypiled --check tells more.
class DamageError : public IoError {
 public:
  using IoError::IoError;
};

// There is no room for it; nothing else is wrong.
class NoSpace : public IoError {
 public:
  using IoError::IoError;
};

// All calls throw IoError. Paths are whole; a name is the last part of one.
class File {
 public:
  virtual ~File() = default;
  // Makes sure that so many bytes from the start on can be written; the file is that long at least.
  virtual void allocate(std::uint64_t size) = 0;
  virtual void write(std::uint64_t offset, std::string_view bytes) = 0;
  // Fewer bytes than asked for only at the end of the file.
  virtual void read(std::uint64_t offset, std::size_t size, std::string& to) = 0;
  std::string read(std::uint64_t offset, std::size_t size) {
    std::string bytes;
    read(offset, size, bytes);
    return bytes;
  }
  virtual std::uint64_t size() = 0;
  // Returns when all that was written is on stable storage (fdatasync).
  virtual void sync() = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Nothing if it is there already.
  virtual void create_directory(const std::string& path) = 0;
  // Names of the files in it, in no order.
  virtual std::vector<std::string> list(const std::string& directory) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual std::unique_ptr<File> open(const std::string& path) = 0;
  // Empty; replaces what was there.
  virtual std::unique_ptr<File> create(const std::string& path) = 0;
  // Creating, renaming and removing are durable after sync_directory() only.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;
  virtual void sync_directory(const std::string& path) = 0;
  // What can still be written on the disk of that directory.
  virtual std::uint64_t free_bytes(const std::string& path) = 0;
};

// Creates a directory and those above it that are missing. Their names are on disk when this
// returns.
void create_directories(FileSystem& files, const std::string& path);

// Writes `bytes` to a temporary file, syncs it, gives it its name and syncs the directory: after a
// crash there is the old file or the new one, whole.
void replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                  std::string_view bytes);

// The one of the operating system.
class PosixFileSystem final : public FileSystem {
 public:
  void create_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& directory) override;
  bool exists(const std::string& path) override;
  std::unique_ptr<File> open(const std::string& path) override;
  std::unique_ptr<File> create(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::uint64_t free_bytes(const std::string& path) override;
};

// The same, for looking only: what would change anything throws IoError, and a sync does nothing.
class ReadOnlyFileSystem final : public FileSystem {
 public:
  void create_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& directory) override;
  bool exists(const std::string& path) override;
  std::unique_ptr<File> open(const std::string& path) override;
  std::unique_ptr<File> create(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::uint64_t free_bytes(const std::string& path) override;
};

// The one that a broker uses if it is given no other: a PosixFileSystem. Alone in its source file,
// so that a program can be linked with a definition of its own (tests/faulty).
FileSystem& system_files();

}  // namespace haypile::log
