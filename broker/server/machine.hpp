#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace haypile::server {

// What this process may use at most: the machine's memory, or the limit of the container or service
// that it is in.
std::size_t machine_memory_bytes();

// The lowest limit of the control groups (version 2 and 1) that this process is in, from its own to
// the topmost that can be seen; nothing if none has one. Files are those below `root`.
std::optional<std::size_t> control_group_memory_bytes(const std::string& root = "");

}  // namespace haypile::server
