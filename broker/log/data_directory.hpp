// The top of a data directory: its lock, and where the logs of the virtual hosts are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "log/contents.hpp"
#include "log/damage.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"

namespace haypile::log {

// Opens or creates a data directory and locks it:
//
// lock          locked as long as a broker uses the directory
// id            random id, as text
// contents      format version, id and virtual hosts, as text with a checksum
// vhosts/NAME/  one log each; NAME is percent-encoded
class DataDirectory {
 public:
  // Creates what is missing, with permissions for the owner only, and takes permissions for others
  // away from an existing directory. Throws IoError if the directory is in use, in this process or
  // another one, or is damaged. `files` must outlive the object.
  explicit DataDirectory(const std::filesystem::path& path, FileSystem& files = system_files());
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  FileSystem& files() { return files_; }
  const DirectoryId& id() const { return contents_.id; }
  // A line for the broker's log if others could read the directory; mostly empty.
  const std::string& notice() const { return notice_; }
  // Creates the directory if it is missing.
  std::string vhost_directory(const std::string& name);
  // The log of the virtual host has been started: from now on it must exist. On disk when this
  // returns.
  void add_vhost(const std::string& name);

 private:
  void lock();
  void tighten();
  bool is_ours();
  void read();
  void check_vhosts();
  void create_id();
  void write_contents();
  std::string path_of(const std::string& vhost) const {
    return path_ + "/" + vhosts_name + "/" + directory_name(vhost);
  }

  const std::string path_;
  FileSystem& files_;
  std::string notice_;
  int lock_ = -1;
  Contents contents_;
};

// A data directory that exists already, for inspection or repair. Creates nothing.
class ExistingDirectory {
 public:
  enum class Use { look, change };
  // A virtual host's name, and where its log is.
  struct VhostPath {
    std::string name;
    std::string path;
  };

  // Throws IoError if there is no such directory, if it is not a data directory, or if it is in
  // use: by a broker, or by a program that changes it. A copy may have no lock file. `files` must
  // outlive the object.
  ExistingDirectory(std::string path, FileSystem& files, Use use);
  ~ExistingDirectory();
  ExistingDirectory(const ExistingDirectory&) = delete;
  ExistingDirectory& operator=(const ExistingDirectory&) = delete;

  const std::string& path() const { return path_; }
  // If `contents` does not tell, the id that most files have.
  const DirectoryId& id() const { return contents_.id; }
  // The virtual hosts that exist.
  const std::vector<VhostPath>& vhosts() const { return vhosts_; }
  // Damage at the top of the directory. The directories of the virtual hosts are not inspected.
  const std::vector<Damage>& damages() const { return damages_; }
  // Writes `id` and `contents` anew, with the virtual hosts that exist.
  void repair();

 private:
  void lock(Use use);
  void find_vhosts();
  void find_id();
  std::string read(const std::string& name);
  void add_damage(const std::string& name, const std::string& what);

  const std::string path_;
  FileSystem& files_;
  int lock_ = -1;
  Contents contents_;
  std::vector<VhostPath> vhosts_;
  std::vector<Damage> damages_;
};

}  // namespace haypile::log
