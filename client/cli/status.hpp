#pragma once

#include "common.hpp"

namespace haypile::cli {

// Prints how many messages and consumers a queue has.
int status(const CommonOptions& options);

}  // namespace haypile::cli
