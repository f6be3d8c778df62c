#pragma once

#include <string>
#include <vector>

#include "common.hpp"

namespace haypile::cli {

struct SendOptions {
  CommonOptions common;
  std::vector<std::string> words;  // "-" alone: one message a line of standard input
};

// Returns when the broker has confirmed all of it.
int send(const SendOptions& options);

}  // namespace haypile::cli
