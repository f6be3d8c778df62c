// File descriptors: how many there are for connections, so that the log always has its own.
#pragma once

#include <cstddef>

namespace haypile::server {

// A new descriptor has the lowest number that is free. A connection with one below this end leaves
// those from here on to the log, whatever other connections there are.
std::size_t connection_descriptors_end();

// Whether a connection may keep that descriptor.
bool is_for_connections(int descriptor);

}  // namespace haypile::server
