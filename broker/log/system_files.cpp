#include "log/file_system.hpp"

namespace haypile::log {

FileSystem& system_files() {
  static PosixFileSystem files;
  return files;
}

}  // namespace haypile::log
