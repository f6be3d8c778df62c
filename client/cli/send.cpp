#include "send.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>

#include <unistd.h>

namespace haypile::cli {

namespace {

// How many messages may be unconfirmed at a time.
constexpr std::size_t window = 2000;

// A line on a terminal that is rewritten now and then.
class Progress {
 public:
  void show(std::uint64_t count) {
    if (!enabled_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(200);
    std::cerr << "\r" << count << " messages sent" << std::flush;
    shown_ = true;
  }
  ~Progress() {
    if (shown_) std::cerr << "\r\x1b[K";
  }

 private:
  const bool enabled_ = is_terminal(STDERR_FILENO);
  std::chrono::steady_clock::time_point next_ =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  bool shown_ = false;
};

class Sender {
 public:
  explicit Sender(const CommonOptions& options)
      : connection_(options.uri), channel_(connection_.channel()), queue_(options.queue) {
    declare(channel_, options);
    channel_.confirm_select();
  }
  void send(std::string_view body) {
    channel_.basic_publish("", queue_, body, {.delivery_mode = persistent});
    ++sent_count_;
    if (channel_.unconfirmed_count() >= window) wait(window / 2);
  }
  void wait(std::size_t unconfirmed_max = 0) {
    if (!channel_.wait_for_confirms(unconfirmed_max)) {
      throw Error("the broker has refused a message");
    }
    confirmed_count_ = sent_count_ - channel_.unconfirmed_count();
  }
  std::uint64_t sent_count() const { return sent_count_; }
  // The count at the last wait.
  std::uint64_t confirmed_count() const { return confirmed_count_; }

 private:
  Connection connection_;
  Channel channel_;
  std::string queue_;
  std::uint64_t sent_count_ = 0;
  std::uint64_t confirmed_count_ = 0;
};

void send_lines(Sender& sender) {
  Progress progress;
  try {
    for (std::string line; std::getline(std::cin, line);) {
      sender.send(line);
      progress.show(sender.sent_count());
    }
    if (std::cin.bad()) throw Error("cannot read standard input");
    sender.wait();
  } catch (const Error& error) {
    throw Error(std::string(error.what()) + "; at least " +
                std::to_string(sender.confirmed_count()) + " messages are confirmed");
  }
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

int send(const SendOptions& options) {
  Sender sender(options.common);
  if (options.words == std::vector<std::string>{"-"}) {
    send_lines(sender);
  } else {
    sender.send(options.words.empty() ? "Hello World!" : join(options.words));
    sender.wait();
  }
  if (is_terminal(STDERR_FILENO)) {
    const std::uint64_t count = sender.sent_count();
    std::cerr << colored("✓", "32") << " " << count << (count == 1 ? " message" : " messages")
              << " in '" << options.common.queue << "', confirmed\n";
  }
  return exit_ok;
}

}  // namespace haypile::cli
