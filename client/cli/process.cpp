#include "process.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <haypile/error.hpp>

#include "environment.hpp"

namespace haypile::cli {

namespace {

std::string text(int error) {
  return std::generic_category().message(error);
}

// Puts the input into a file in memory: the command may read it at any time, or not at all.
int input_file(std::string_view input) {
  const int file = ::memfd_create("message", MFD_CLOEXEC);
  if (file < 0) throw Error("cannot keep a message for the command: " + text(errno));
  while (!input.empty()) {
    const ssize_t count = ::write(file, input.data(), input.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      ::close(file);
      throw Error("cannot keep a message for the command: " + text(error));
    }
    input.remove_prefix(static_cast<std::size_t>(count));
  }
  ::lseek(file, 0, SEEK_SET);
  return file;
}

// The pointers that exec() wants; valid as long as the texts.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts)
    list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

// Our own environment, with the variables of this message instead of those of another one.
std::vector<std::string> environment_with(const std::vector<std::string>& variables) {
  std::vector<std::string> list = variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!is_about_message(*variable)) list.emplace_back(*variable);
  return list;
}

}  // namespace

pid_t start_process(const std::vector<std::string>& command, std::string_view input,
                    const std::vector<std::string>& variables) {
  const std::vector<std::string> environment = environment_with(variables);
  const int file = input_file(input);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF);
  sigset_t defaults;
  sigfillset(&defaults);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, command.front().c_str(), &actions, &attributes,
                                   pointers(command).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(file);
  if (error != 0) throw Error("cannot run '" + command.front() + "': " + text(error));
  return pid;
}

void adopt_orphans() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

std::string describe_failure(int wait_status) {
  if (WIFSIGNALED(wait_status)) return "signal " + std::to_string(WTERMSIG(wait_status));
  const int code = WEXITSTATUS(wait_status);
  return code == 0 ? "" : "exit code " + std::to_string(code);
}

std::optional<ChildEnd> next_child_end() {
  int status = 0;
  const pid_t pid = ::waitpid(-1, &status, WNOHANG);
  if (pid <= 0) return std::nullopt;
  return ChildEnd{pid, status};
}

void ask_to_end(pid_t pid) {
  ::kill(-pid, SIGTERM);
  ::kill(-pid, SIGCONT);
}

void kill_group(pid_t pid) {
  ::kill(-pid, SIGKILL);
}

bool has_group(pid_t pid) {
  return ::kill(-pid, 0) == 0;
}

}  // namespace haypile::cli
