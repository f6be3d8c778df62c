// Takes messages over one connection and settles them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include <haypile/client.hpp>

#include "commands.hpp"
#include "failed_queue.hpp"
#include "spare_consumers.hpp"
#include "work.hpp"

namespace haypile::cli {

// Consumes a queue and runs a command for each message, or prints it. A message is acknowledged
// when its command has succeeded; until then it is unacked, also while it pauses between two tries.
class Worker {
 public:
  // Declares the queue and begins to consume. `commands` has none that runs. Everything must
  // outlive this. Throws what the channel throws.
  Worker(const WorkOptions& options, Connection& connection, Commands& commands);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Returns an exit code after the user has asked for the end, when no command runs any more.
  // Throws Closed or TimedOut if the connection or the channel is lost; commands may still run
  // then. Throws Error for anything else that makes going on useless, when no command runs.
  int run();

 private:
  using Clock = Commands::Clock;

  struct Held {
    Message message;
    std::uint64_t failure_count = 0;  // of its command, here
  };
  enum class Next { run, requeue, keep };
  struct Pause {
    std::uint64_t delivery_tag;
    Next next;
    std::string reason;
  };
  enum class Settlement { ack, requeue, drop };

  bool is_ending() const;
  void take(const Message& message);
  void turn();
  void turn_without_consumer();
  void go_on();
  void start_waiting();
  void finish(const Commands::Ended& ended);
  void pause(std::uint64_t delivery_tag, std::chrono::milliseconds time, Next next,
             const std::string& reason);
  void continue_after(const Pause& pause);
  void keep(std::uint64_t delivery_tag, const std::string& reason);
  void settle(std::uint64_t delivery_tag, Settlement settlement);
  std::chrono::milliseconds time_to_wake(Clock::time_point now) const;
  std::size_t wanted_spare_count() const;
  void stop_consuming();
  void hurry();
  std::string after_failure_text(Outcome outcome, std::uint64_t attempt,
                                 std::chrono::milliseconds pause) const;

  const WorkOptions& options_;
  Commands& commands_;
  Channel channel_;
  std::optional<FailedQueue> failed_queue_;
  SpareConsumers spares_;
  std::string consumer_tag_;
  std::map<std::uint64_t, Held> held_;              // all unacked messages, by delivery tag
  std::deque<std::uint64_t> waiting_;               // for their command to be started
  std::multimap<Clock::time_point, Pause> paused_;  // by their end
  std::size_t paused_bytes_ = 0;
  bool is_consuming_ = true;
  bool is_breaking_off_ = false;  // the user does not want to wait for the commands
  bool is_killing_ = false;
  Clock::time_point asked_at_ = Clock::now();  // when the broker has answered last
  std::string error_;                          // why going on is useless
};

}  // namespace haypile::cli
