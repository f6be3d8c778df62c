// Makes a haypiled_faulty of the test's haypiled: the linker finds this definition before the
// library's.
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
