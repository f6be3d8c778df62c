// The command line of haypile.
#pragma once

#include <functional>

namespace haypile::cli {

// Reads the command line and returns what to do; that returns an exit code or throws Error. For
// --help and the like it has been done already. Throws Error with one line for the user.
std::function<int()> parse(int argc, char** argv);

}  // namespace haypile::cli
