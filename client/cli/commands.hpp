// The commands that run, each for a message.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace haypile::cli {

// Starts commands, ends those that run too long, and tells which have ended. A command that is to
// be ended gets SIGTERM and, if it or what it has started is still there after `patience`, SIGKILL.
// It counts as ended only when it is gone. Nothing here waits; the caller hands in the time.
class Commands {
 public:
  using Clock = std::chrono::steady_clock;

  struct Ended {
    std::uint64_t delivery_tag;  // of the message
    std::string failure;         // such as "exit code 3"; empty: exit code 0, and was let run
  };

  // `command` must outlive this. A `timeout` of 0 is none.
  Commands(const std::vector<std::string>& command, std::chrono::milliseconds timeout,
           std::chrono::milliseconds patience);
  // Ends what still runs, with SIGKILL.
  ~Commands();
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  // Throws Error if the command cannot be run.
  void start(std::uint64_t delivery_tag, std::string_view input,
             const std::vector<std::string>& variables, Clock::time_point now);

  // Sends the signals that are due, and returns the commands that have ended. To be called after
  // each SIGCHLD, and when wake_at() has come.
  std::vector<Ended> collect(Clock::time_point now);
  // When collect() has something to do even if no child ends; nothing: never.
  std::optional<Clock::time_point> wake_at(Clock::time_point now) const;

  // Begins to end all commands.
  void end_all(Clock::time_point now);
  // Sends SIGKILL to all of them.
  void kill_all();

  std::size_t count() const { return running_.size(); }

 private:
  struct Running {
    std::uint64_t delivery_tag;
    std::optional<Clock::time_point> timeout_at{};
    std::optional<Clock::time_point> kill_at{};  // set while it is being ended
    bool is_killed = false;
    bool is_timed_out = false;
    std::optional<int> wait_status{};
  };
  void send_signals(pid_t pid, Running& running, Clock::time_point now) const;
  std::string failure(const Running& running) const;

  const std::vector<std::string>& command_;
  const std::chrono::milliseconds timeout_;
  const std::chrono::milliseconds patience_;
  std::map<pid_t, Running> running_;
};

}  // namespace haypile::cli
