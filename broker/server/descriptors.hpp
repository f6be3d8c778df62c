// File descriptors: how many are for connections, so that the log always has its own.
#pragma once

#include <cstddef>

namespace haypile::server {

// A new descriptor has the lowest number that is free. So if connections keep only descriptors
// below this number, the others are left for the log, however many connections there are.
std::size_t connection_descriptors_end();

// Whether a connection may keep this descriptor.
bool is_for_connections(int descriptor);

}  // namespace haypile::server
