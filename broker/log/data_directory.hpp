// The top of a data directory: who may use it, and where the vhosts' logs are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "log/contents.hpp"
#include "log/damage.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"

namespace haypile::log {

//   lock          locked as long as a broker uses the directory
//   id            random id, as text
//   contents      format version, id and virtual hosts, as text with a checksum
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
  const DirectoryId& id() const { return contents_.id; }
  // What is to be said of who else could look into it; mostly empty.
  const std::string& notice() const { return notice_; }
  // Creates it if it is missing.
  std::string vhost_directory(const std::string& name);
  // Its log has been started: from now on it is missed when it is not there. On disk when this
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
  // As most of the files have it, if `contents` cannot tell.
  const DirectoryId& id() const { return contents_.id; }
  // Those that are there.
  const std::vector<VhostPath>& vhosts() const { return vhosts_; }
  // Of the top of the directory: what is wrong within the vhosts' directories is not looked for.
  const std::vector<Damage>& damages() const { return damages_; }
  // Writes `id` and `contents` anew, with the vhosts that are there.
  void put_right();

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
