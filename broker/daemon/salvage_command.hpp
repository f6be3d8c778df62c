// haypiled --salvage: makes a damaged data directory one that a broker starts with.
#pragma once

#include <filesystem>

namespace haypile {

// Says on standard output what has to be dropped; with `is_agreed` it is done, and the originals
// are kept in DIRECTORY/salvage-YYYYMMDD-HHMMSS. Exit codes as those of check(), of what is left
// behind.
int salvage(const std::filesystem::path& directory, bool is_agreed);

}  // namespace haypile
