// haypile send: publishes messages and waits for their confirms.
#pragma once

#include <string>
#include <vector>

#include "common.hpp"
#include "outgoing.hpp"

namespace haypile::cli {

struct SendOptions {
  CommonOptions common;
  std::vector<std::string> words;  // "-" alone: messages from standard input
  std::string file;                // one message; "-": standard input; empty: no file
  bool is_null_separated = false;  // messages of standard input end with a NUL, not with a line
  bool is_json = false;            // a summary as JSON on standard output
  Outgoing outgoing;

  // Whether each line of standard input is a message.
  bool is_stream() const { return file.empty() && words == std::vector<std::string>{"-"}; }
};

// Returns when the broker has confirmed all messages, or after an interrupt. Throws Error, also if
// a message was taken by no queue.
int send(const SendOptions& options);

}  // namespace haypile::cli
