// Counts the calls of operator new in programs that are linked with allocations.cpp.
#pragma once

#include <cstdint>

namespace haypile::bench {

std::uint64_t allocations_of_this_thread();

}  // namespace haypile::bench
