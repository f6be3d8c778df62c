#include "server/machine.hpp"

#include <algorithm>
#include <fstream>

#include <unistd.h>

namespace haypile::server {

std::size_t machine_memory_bytes() {
  const auto pages = static_cast<std::size_t>(std::max(::sysconf(_SC_PHYS_PAGES), 1L));
  const std::size_t machine = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  // Of control groups in version 2 and 1; a file without a number sets no limit.
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::size_t limit = 0;
    if (std::ifstream(path) >> limit && limit != 0) return std::min(limit, machine);
  }
  return machine;
}

}  // namespace haypile::server
