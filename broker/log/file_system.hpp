// What the log needs of a file system. The tests have one that loses what was not synced.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace haypile::log {

// what() says which file, what was tried, and why it failed.
class IoError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A file does not have what was written to it. `haypiled --check` tells more.
class DamageError : public IoError {
 public:
  using IoError::IoError;
};

// There is no space on the disk; nothing else is wrong.
class NoSpace : public IoError {
 public:
  using IoError::IoError;
};

// An open file. All calls throw IoError.
class File {
 public:
  virtual ~File() = default;
  // Makes sure that the first `size` bytes can be written. The file has at least this size
  // afterwards.
  virtual void allocate(std::uint64_t size) = 0;
  virtual void write(std::uint64_t offset, std::string_view bytes) = 0;
  // Reads fewer bytes only at the end of the file.
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

// The files of a disk. All calls throw IoError. Paths are complete; a name is the last part of a
// path.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Does nothing if the directory exists.
  virtual void create_directory(const std::string& path) = 0;
  // The names of the files in it, in no particular order.
  virtual std::vector<std::string> list(const std::string& directory) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual std::unique_ptr<File> open(const std::string& path) = 0;
  // Creates an empty file, or empties an existing one.
  virtual std::unique_ptr<File> create(const std::string& path) = 0;
  // Creating, renaming and removing are durable only after sync_directory().
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;
  virtual void sync_directory(const std::string& path) = 0;
  // The number of bytes that can still be written to the disk of that directory.
  virtual std::uint64_t free_bytes(const std::string& path) = 0;
};

// Creates a directory and the missing ones above it. Their names are on disk when this returns.
void create_directories(FileSystem& files, const std::string& path);

// Writes `bytes` to a temporary file, syncs it, gives it its name and syncs the directory. After a
// crash there is the old file or the new one, and it is complete.
void replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                  std::string_view bytes);

// The file system of the operating system.
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

// The same, for reading only: calls that would change something throw IoError, and a sync does
// nothing.
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

// The file system that a broker uses by default: a PosixFileSystem. It is alone in its source file,
// so that a program can be linked with a definition of its own (tests/faulty).
FileSystem& system_files();

}  // namespace haypile::log
