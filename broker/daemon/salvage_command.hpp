// haypiled --salvage: makes a damaged data directory usable for a broker again.
#pragma once

#include <filesystem>

namespace haypile {

// Prints on standard output what has to be dropped. With `apply` it also does that, and keeps
// the originals in DIRECTORY/salvage-YYYYMMDD-HHMMSS. Returns an exit code of check_command.hpp for
// the state in which the directory is left.
int salvage(const std::filesystem::path& directory, bool apply);

}  // namespace haypile
