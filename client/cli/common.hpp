// What the commands have in common.
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

// The exit codes of the program.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_interrupted = 130;

// Declares the queue durable, or checks that it exists. If that is refused, the error says what to
// do.
QueueInfo declare(Channel& channel, const CommonOptions& options);

// Adds a colour to `text`; `code` is an SGR parameter ("31" is red). Does nothing if standard error
// is not a terminal, or if NO_COLOR is set.
std::string colored(std::string_view text, const char* code);
// Makes text from the user or the broker fit to be printed: one line without effects on a terminal,
// without the login of a URI.
std::string shown(std::string_view text);
bool is_terminal(int descriptor);

}  // namespace haypile::cli
