// Runs a command for a message.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace haypile::cli {

// Starts `command` (searched on the PATH) with `input` on its standard input, in a process group of
// its own, so that Ctrl+C on the terminal does not reach it. Throws Error.
pid_t start_process(const std::vector<std::string>& command, std::string_view input);

// Returns, for example, "exit code 3" or "signal 9"; empty for exit code 0.
std::string describe_failure(int wait_status);

struct Ended {
  pid_t pid;
  int wait_status;
};
// Returns a child that has ended and was not returned before. Does not wait.
std::optional<Ended> next_ended();

// Sends SIGTERM to the process and to what it has started.
void terminate(pid_t pid);

}  // namespace haypile::cli
