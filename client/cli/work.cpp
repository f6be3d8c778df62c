#include "work.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <iostream>
#include <map>

#include "process.hpp"

namespace haypile::cli {

namespace {

using Clock = std::chrono::steady_clock;

// A message whose command has failed is returned only after this time: if no other worker takes it,
// it comes back at once.
constexpr std::chrono::seconds requeue_pause{1};

// The signal handlers use these to reach the worker.
Channel* consuming = nullptr;
std::atomic<int> interrupts{0};

void on_child(int) {
  if (consuming) consuming->stop_consuming();
}
void on_interrupt(int) {
  ++interrupts;
  if (consuming) consuming->stop_consuming();
}

// Installs the signal handlers while there is a channel for them.
class Signals {
 public:
  explicit Signals(Channel& channel) {
    consuming = &channel;
    handle(SIGCHLD, on_child);
    handle(SIGINT, on_interrupt);
    handle(SIGTERM, on_interrupt);
  }
  ~Signals() {
    for (const int signal : {SIGCHLD, SIGINT, SIGTERM})
      std::signal(signal, SIG_DFL);
    consuming = nullptr;
  }

 private:
  static void handle(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
};

class Worker {
 public:
  explicit Worker(const WorkOptions& options)
      : options_(options),
        connection_(options.common.uri),
        channel_(connection_.channel()),
        signals_(channel_) {
    declare(channel_, options_.common);
    channel_.basic_qos(options_.prefetch_count != 0 ? options_.prefetch_count : options_.job_count);
    consumer_tag_ = channel_.basic_consume(options_.common.queue,
                                           [this](const Message& message) { take(message); });
  }

  int run() {
    if (is_terminal(2)) {
      std::cerr << "waiting for messages in '" << options_.common.queue
                << "'; Ctrl+C finishes what is running\n";
    }
    while (interrupts == 0)
      turn();
    // Messages that are not started return to the queue: those in the channel with the
    // cancellation, those in waiting_ and failed_ after it.
    channel_.basic_cancel(consumer_tag_);
    give_back_waiting();
    while (!running_.empty() && interrupts < 2)
      turn();
    if (running_.empty()) return exit_ok;
    for (const auto& [pid, tag] : running_) {
      terminate(pid);
      channel_.basic_nack(tag);
    }
    return exit_interrupted;
  }

 private:
  struct Waiting {
    std::uint64_t delivery_tag;
    std::string body;
  };
  struct Failed {
    Clock::time_point give_back_at;
    std::uint64_t delivery_tag;
  };

  // Waits until a child ends, a message or a signal comes, or some time has passed, and handles it.
  void turn() {
    const auto pause =
        failed_.empty() ? std::chrono::milliseconds(1000) : std::chrono::milliseconds(50);
    if (!channel_.consume_for(pause) && interrupts == 0) {
      throw Error("the queue '" + options_.common.queue + "' has been deleted");
    }
    while (const auto ended = next_ended())
      finish(*ended);
    while (!failed_.empty() && failed_.front().give_back_at <= Clock::now()) {
      channel_.basic_nack(failed_.front().delivery_tag);
      failed_.pop_front();
    }
    start_waiting();
  }

  void take(const Message& message) {
    if (options_.command.empty()) {
      std::cout << message.body() << std::endl;
      channel_.basic_ack(message.delivery_tag);
      return;
    }
    waiting_.push_back({message.delivery_tag, std::string(message.body())});
    start_waiting();
  }

  void start_waiting() {
    while (interrupts == 0 && !waiting_.empty() && running_.size() < options_.job_count) {
      const pid_t pid = start_process(options_.command, waiting_.front().body);
      running_[pid] = waiting_.front().delivery_tag;
      waiting_.pop_front();
    }
  }

  void give_back_waiting() {
    for (const Waiting& message : waiting_)
      channel_.basic_nack(message.delivery_tag);
    waiting_.clear();
    for (const Failed& message : failed_)
      channel_.basic_nack(message.delivery_tag);
    failed_.clear();
  }

  void finish(const Ended& ended) {
    const auto found = running_.find(ended.pid);
    if (found == running_.end()) return;
    const std::uint64_t delivery_tag = found->second;
    running_.erase(found);
    const std::string failure = describe_failure(ended.wait_status);
    if (failure.empty()) {
      channel_.basic_ack(delivery_tag);
      return;
    }
    const bool requeue = options_.on_failure == OnFailure::requeue;
    std::cerr << colored("failed", "31") << " (" << failure << "): "
              << (requeue ? "the message goes back to the queue" : "the message is dropped")
              << std::endl;
    if (requeue && interrupts == 0) {
      failed_.push_back({Clock::now() + requeue_pause, delivery_tag});
    } else {
      channel_.basic_nack(delivery_tag, false, requeue);
    }
  }

  const WorkOptions& options_;
  Connection connection_;
  Channel channel_;
  Signals signals_;
  std::string consumer_tag_;
  std::deque<Waiting> waiting_;
  std::deque<Failed> failed_;
  std::map<pid_t, std::uint64_t> running_;
};

}  // namespace

int work(const WorkOptions& options) {
  return Worker(options).run();
}

}  // namespace haypile::cli
