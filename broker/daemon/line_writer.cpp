#include "daemon/line_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include "log/signals_blocked.hpp"

namespace haypile {

namespace {

constexpr std::chrono::seconds patience{2};

}  // namespace

struct LineWriter::State {
  State(int to, DescribeLoss describe) : descriptor(to), describe_loss(std::move(describe)) {}

  const int descriptor;
  const DescribeLoss describe_loss;
  std::mutex mutex;
  std::condition_variable wake;  // there is something to write, or it is over
  std::condition_variable idle;
  std::string waiting;
  std::uint64_t dropped_count = 0;  // after the lines in `waiting`
  bool failed = false;              // the last write failed; the next line is another try
  bool writing = false;
  bool over = false;

  bool has_work() const { return !waiting.empty() || (dropped_count != 0 && !failed); }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return over || has_work(); });
      if (!has_work()) return;
      writing = true;
      std::string bytes = std::exchange(waiting, {});
      const std::uint64_t told_count = std::exchange(dropped_count, 0);
      if (told_count != 0) bytes += describe_loss(told_count);
      lock.unlock();
      const std::string_view left = write_all(bytes);
      lock.lock();
      failed = !left.empty();
      const auto lines = static_cast<std::uint64_t>(std::ranges::count(left, '\n'));
      // The line about dropped lines is not one of them.
      if (failed) dropped_count += lines + told_count - (told_count != 0 ? 1 : 0);
      writing = false;
      idle.notify_all();
    }
  }

  // Returns what is left if the descriptor cannot be written any more.
  std::string_view write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
      if (count > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
      } else if (count < 0 && errno == EAGAIN) {  // another process has made it non-blocking
        ::pollfd writable{descriptor, POLLOUT, 0};
        ::poll(&writable, 1, -1);
      } else if (count == 0 || errno != EINTR) {
        break;
      }
    }
    return bytes;
  }
};

LineWriter::LineWriter(int descriptor, DescribeLoss describe_loss)
    : state_(std::make_shared<State>(descriptor, std::move(describe_loss))) {
  const log::SignalsBlocked blocked;
  std::thread([state = state_] { state->run(); }).detach();
}

LineWriter::~LineWriter() {
  flush();
  {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
  }
  state_->wake.notify_one();
}

void LineWriter::write(std::string_view line) {
  {
    const std::lock_guard lock(state_->mutex);
    // Lines keep their order: after a dropped line, others are dropped until that was reported.
    const bool has_room = state_->waiting.size() + line.size() <= waiting_max_bytes;
    if (!has_room || (state_->dropped_count != 0 && !state_->failed)) {
      ++state_->dropped_count;
      return;
    }
    state_->waiting += line;
  }
  state_->wake.notify_one();
}

void LineWriter::flush() {
  std::unique_lock lock(state_->mutex);
  state_->idle.wait_for(lock, patience, [this] { return !state_->writing && !state_->has_work(); });
}

}  // namespace haypile
