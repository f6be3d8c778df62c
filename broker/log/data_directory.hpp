// The top of a data directory: who may use it, and where the vhosts' logs are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "log/file_system.hpp"
#include "log/format.hpp"

namespace haypile::log {

//   lock          locked as long as a broker uses the directory
//   id            format version and random id, as text
//   vhosts/NAME/  one log each; NAME is percent-encoded
class DataDirectory {
 public:
  // Creates what is missing, for nobody else to look into, and closes a directory that is there to
  // others. Throws IoError if the directory is in use, in this process or another
  // one, or not what it should be. `files` outlives it.
  explicit DataDirectory(const std::filesystem::path& path, FileSystem& files = system_files());
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  FileSystem& files() { return files_; }
  const DirectoryId& id() const { return id_; }
  // What is to be said of who else could look into it; mostly empty.
  const std::string& notice() const { return notice_; }
  // Creates it if it is missing.
  std::string vhost_directory(const std::string& name);

 private:
  void lock();
  void read_id();
  void tighten();
  bool is_ours();

  const std::string path_;
  FileSystem& files_;
  std::string notice_;
  int lock_ = -1;
  DirectoryId id_{};
};

// One that is there already, for looking at it or putting it right. Creates nothing.
class ExistingDirectory {
 public:
  enum class Use { look, change };
  // A vhost's name and where its log is.
  struct VhostPath {
    std::string name;
    std::string path;
  };

  // Throws IoError if there is no such directory, if it is no data directory or if it is in use: by
  // a broker, or by somebody else who changes it. A copy may be without a lock file. `files`
  // outlives it.
  ExistingDirectory(std::string path, FileSystem& files, Use use);
  ~ExistingDirectory();
  ExistingDirectory(const ExistingDirectory&) = delete;
  ExistingDirectory& operator=(const ExistingDirectory&) = delete;

  const std::string& path() const { return path_; }
  const DirectoryId& id() const { return id_; }
  std::vector<VhostPath> vhosts() const;

 private:
  void lock(Use use);

  const std::string path_;
  FileSystem& files_;
  int lock_ = -1;
  DirectoryId id_{};
};

}  // namespace haypile::log
