#pragma once

#include <cstddef>

namespace haypile::server {

// What this process may use at most: the machine's memory, or the limit of the container it is in.
std::size_t machine_memory_bytes();

}  // namespace haypile::server
