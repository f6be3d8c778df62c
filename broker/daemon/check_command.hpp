// haypiled --check: shows what a data directory holds, and what of it is damaged.
#pragma once

#include <filesystem>

namespace haypile {

// The exit codes of the commands that work on a data directory instead of running a broker.
inline constexpr int exit_fine = 0;
inline constexpr int exit_damaged = 1;
inline constexpr int exit_unreadable = 2;

// Prints the report on standard output, or one line on standard error if there is none. Returns an
// exit code.
int check(const std::filesystem::path& directory, bool as_json);

}  // namespace haypile
