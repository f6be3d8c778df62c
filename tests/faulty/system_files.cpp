// What makes haypiled of the tests a haypiled_faulty: this definition comes before the library's.
#include <cstdlib>

#include "faulty/faulty_file_system.hpp"

namespace haypile::log {

FileSystem& system_files() {
  static PosixFileSystem posix;
  const char* faults = std::getenv("HAYPILE_FAULTS");
  static faulty::FaultyFileSystem files(posix, faulty::parse_faults(faults ? faults : ""));
  return files;
}

}  // namespace haypile::log
