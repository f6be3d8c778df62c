// Starts the command for a message, and ends it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace haypile::cli {

// Starts `command` (searched on the PATH) with `input` on its standard input, and with `variables`
// (NAME=VALUE) in its environment. It gets a session of its own: Ctrl+C on the terminal does not
// reach it, and it cannot stop because it reads from a terminal that is in other hands. Throws
// Error.
pid_t start_process(const std::vector<std::string>& command, std::string_view input,
                    const std::vector<std::string>& variables);

// Makes this process the parent of what a process that it has started leaves behind, so that
// next_child_end() takes away those, too. Without it has_group() would see them for ever where the
// first process of the system does not do that, as in many containers.
void adopt_orphans();

// Returns, for example, "exit code 3" or "signal 9"; empty for exit code 0.
std::string describe_failure(int wait_status);

struct ChildEnd {
  pid_t pid;
  int wait_status;
};
// Returns a child that has ended and was not returned before. Does not wait.
std::optional<ChildEnd> next_child_end();

// Asks a process that start_process() has started, and all that it has started in its group, to
// end. A stopped one is continued, so that it can.
void ask_to_end(pid_t pid);
// Ends them, whatever they do.
void kill_group(pid_t pid);
// Whether anybody is left in the group.
bool has_group(pid_t pid);

}  // namespace haypile::cli
