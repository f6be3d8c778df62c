#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace haypile::server {

// The memory that this process may use at most: the machine's, or the limit of the container or
// service that it runs in.
std::size_t machine_memory_bytes();

// The lowest limit of the control groups (version 2 and 1) of this process, from its own group to
// the topmost one that it can see; nothing if there is no limit. Files are read below `root`.
std::optional<std::size_t> control_group_memory_bytes(const std::string& root = "");

}  // namespace haypile::server
