#include "commands.hpp"

#include <algorithm>

#include "common.hpp"
#include "process.hpp"

namespace haypile::cli {

namespace {

// How often to look whether all processes of a group are gone: no signal tells that.
constexpr std::chrono::milliseconds look_again{50};

bool is_gone(pid_t pid, bool is_killed) {
  return is_killed || !has_group(pid);
}

}  // namespace

Commands::Commands(const std::vector<std::string>& command, std::chrono::milliseconds timeout,
                   std::chrono::milliseconds patience)
    : command_(command), timeout_(timeout), patience_(patience) {
  adopt_orphans();
}

Commands::~Commands() {
  kill_all();
}

void Commands::start(std::uint64_t delivery_tag, std::string_view input,
                     const std::vector<std::string>& variables, Clock::time_point now) {
  Running running{.delivery_tag = delivery_tag};
  if (timeout_.count() != 0) running.timeout_at = now + timeout_;
  running_.emplace(start_process(command_, input, variables), running);
}

void Commands::send_signals(pid_t pid, Running& running, Clock::time_point now) const {
  if (!running.wait_status && !running.kill_at && running.timeout_at &&
      *running.timeout_at <= now) {
    running.is_timed_out = true;
    running.kill_at = now + patience_;
    ask_to_end(pid);
  }
  if (running.kill_at && !running.is_killed && *running.kill_at <= now) {
    running.is_killed = true;
    kill_group(pid);
  }
}

std::string Commands::failure(const Running& running) const {
  if (!running.is_timed_out) {
    const std::string failure = describe_failure(*running.wait_status);
    return failure.empty() && running.kill_at ? "broken off" : failure;
  }
  return "not done after " + seconds_text(timeout_);
}

std::vector<Commands::Ended> Commands::collect(Clock::time_point now) {
  while (const auto end = next_child_end()) {
    const auto found = running_.find(end->pid);
    if (found != running_.end()) found->second.wait_status = end->wait_status;
  }
  std::vector<Ended> ended;
  for (auto at = running_.begin(); at != running_.end();) {
    auto& [pid, running] = *at;
    send_signals(pid, running, now);
    if (running.wait_status && (!running.kill_at || is_gone(pid, running.is_killed))) {
      ended.push_back({running.delivery_tag, failure(running)});
      at = running_.erase(at);
    } else {
      ++at;
    }
  }
  return ended;
}

std::optional<Commands::Clock::time_point> Commands::wake_at(Clock::time_point now) const {
  std::optional<Clock::time_point> first;
  const auto add = [&](Clock::time_point at) { first = first ? std::min(*first, at) : at; };
  for (const auto& [pid, running] : running_) {
    if (running.kill_at && running.wait_status) {
      add(std::min(*running.kill_at, now + look_again));
    } else if (running.kill_at && !running.is_killed) {
      add(*running.kill_at);
    } else if (running.timeout_at && !running.kill_at) {
      add(*running.timeout_at);
    }
  }
  return first;
}

void Commands::end_all(Clock::time_point now) {
  for (auto& [pid, running] : running_) {
    if (running.kill_at) continue;
    running.kill_at = now + patience_;
    ask_to_end(pid);
  }
}

void Commands::kill_all() {
  for (auto& [pid, running] : running_) {
    running.kill_at = running.kill_at.value_or(Clock::time_point::min());
    running.is_killed = true;
    kill_group(pid);
  }
}

}  // namespace haypile::cli
