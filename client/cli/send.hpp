#pragma once

#include <string>
#include <vector>

#include "common.hpp"

namespace haypile::cli {

struct SendOptions {
  CommonOptions common;
  std::vector<std::string> words;  // "-" alone: one message for each line of standard input
};

// Returns when the broker has confirmed all messages.
int send(const SendOptions& options);

}  // namespace haypile::cli
