// A command that is run for a message.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace haypile::cli {

// Starts `command` (found on the PATH) with `input` on its standard input, in a process group of
// its own, so that Ctrl+C on the terminal does not reach it. Throws Error.
pid_t start_process(const std::vector<std::string>& command, std::string_view input);

// "exit code 3", "signal 9"; the empty string for exit code 0.
std::string describe_failure(int wait_status);

struct Ended {
  pid_t pid;
  int wait_status;
};
// A child that has ended and was not told of yet; does not wait.
std::optional<Ended> next_ended();

// Asks the process and what it has started to end.
void terminate(pid_t pid);

}  // namespace haypile::cli
