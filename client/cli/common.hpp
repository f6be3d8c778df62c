// What the commands have in common.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <haypile/client.hpp>

namespace haypile::cli {

struct CommonOptions {
  std::vector<std::string> uris;  // never empty
  std::string queue = "task_queue";
  bool passive = false;  // take the queue as it is
  bool quorum = false;   // declare it as a quorum queue
};

// The exit codes of the program.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_interrupted = 130;

// Declares `queue` durable, as the options want it, or checks that it exists. If that is refused,
// the error says what to do.
QueueInfo declare(Channel& channel, const std::string& queue, const CommonOptions& options);

// "1 message", "2 messages".
std::string messages(std::uint64_t count);
// "1.5 s".
std::string seconds_text(std::chrono::milliseconds time);

// Adds a colour to `text`; `code` is an SGR parameter ("31" is red). Does nothing if standard error
// is not a terminal, or if NO_COLOR is set.
std::string colored(std::string_view text, const char* code);
// Makes text from the user or the broker fit to be printed: one line without effects on a terminal,
// without the login of a URI.
std::string shown(std::string_view text);
bool is_terminal(int descriptor);

}  // namespace haypile::cli
