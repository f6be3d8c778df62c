// What the commands share.
#pragma once

#include <string>
#include <string_view>

#include <haypile/client.hpp>

namespace haypile::cli {

struct CommonOptions {
  std::string uri;
  std::string queue = "task_queue";
  bool passive = false;  // take the queue as it is
};

// Exit codes of the program.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_interrupted = 130;

// Declares the queue durable, or looks whether it is there. Says what to do if that is refused.
QueueInfo declare(Channel& channel, const CommonOptions& options);

// `code` is an SGR parameter ("31" is red); nothing is added where standard error is no terminal,
// or NO_COLOR is set.
std::string colored(std::string_view text, const char* code);
// Text of the user's or the broker's, fit to be printed: one line that does nothing to a terminal,
// with the login of a URI left out.
std::string shown(std::string_view text);
bool is_terminal(int descriptor);

}  // namespace haypile::cli
