#include "server/notifier.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "log/signals_blocked.hpp"

namespace haypile::server {

// The thread's loop is: wait for something to tell, tell it without the lock, and wake drain() when
// nothing is left.
// - Before start() there is no teller, and drain() tells on the caller's thread.
// - `telling` is set while a function of the program runs, so drain() does not return too early.
// - Lines after a dropped one are dropped, too, until `waiting` is empty and the count was told:
//   so the order is kept, and the count stands where the lines are missing.
// The state outlives the notifier if one of the functions destroys the broker: then the thread is
// detached, and ends when that function returns.
struct Notifier::State {
  struct Notice {
    Severity severity = Severity::info;
    bool is_failure = false;
    std::string line;
  };

  State(Report to_report, OnFailure to_fail)
      : on_report(std::move(to_report)), on_failure(std::move(to_fail)) {}

  const Report on_report;
  const OnFailure on_failure;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable idle;
  std::deque<Notice> waiting;
  std::size_t waiting_bytes = 0;
  std::uint64_t dropped_count = 0;  // after the lines in `waiting`
  bool telling = false;
  bool started = false;
  bool over = false;
  std::thread::id teller;

  void add(Notice notice) {
    {
      const std::lock_guard lock(mutex);
      const bool has_room = waiting_bytes + notice.line.size() <= waiting_max_bytes;
      // A failure comes once and has to be told.
      if (!notice.is_failure && (!has_room || dropped_count != 0)) {
        ++dropped_count;
        return;
      }
      waiting_bytes += notice.line.size();
      waiting.push_back(std::move(notice));
    }
    wake.notify_one();
  }

  void forget() {
    waiting.clear();
    waiting_bytes = 0;
    dropped_count = 0;
  }

  bool is_idle() const { return waiting.empty() && dropped_count == 0 && !telling; }

  Notice take() {
    if (waiting.empty()) {
      return {Severity::warning, false,
              std::to_string(std::exchange(dropped_count, 0)) +
                  " lines were dropped: nobody took them in time"};
    }
    Notice notice = std::move(waiting.front());
    waiting.pop_front();
    waiting_bytes -= notice.line.size();
    return notice;
  }

  void tell(const Notice& notice) const {
    try {
      if (notice.is_failure) {
        if (on_failure) on_failure(notice.line);
      } else if (on_report) {
        on_report(notice.severity, notice.line);
      }
    } catch (...) {
      // There is nobody to tell it to.
    }
  }

  // Tells everything. The lock is held before and after, but not while a function runs.
  void tell_all(std::unique_lock<std::mutex>& lock) {
    while (!is_idle()) {
      const Notice notice = take();
      telling = true;
      lock.unlock();
      tell(notice);
      lock.lock();
      telling = false;
    }
    idle.notify_all();
  }

  void run() {
    std::unique_lock lock(mutex);
    teller = std::this_thread::get_id();
    while (true) {
      wake.wait(lock, [this] { return over || !is_idle(); });
      if (is_idle()) return;
      tell_all(lock);
    }
  }
};

Notifier::Notifier(Report report, OnFailure on_failure)
    : state_(std::make_shared<State>(std::move(report), std::move(on_failure))) {}

Notifier::~Notifier() {
  drain();
  const bool is_told_here = thread_.get_id() == std::this_thread::get_id();
  {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
    // The functions may use objects that end with the broker.
    if (is_told_here) state_->forget();
  }
  state_->wake.notify_one();
  if (!thread_.joinable()) return;
  if (is_told_here) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void Notifier::report(Severity severity, std::string_view line) {
  if (state_->on_report) state_->add({severity, false, std::string(line)});
}

void Notifier::fail(std::string_view line) {
  if (state_->on_failure) state_->add({Severity::error, true, std::string(line)});
}

void Notifier::start() {
  if (!state_->on_report && !state_->on_failure) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->started = true;
  }
  const log::SignalsBlocked blocked;
  thread_ = std::thread([state = state_] { state->run(); });
}

void Notifier::drain() {
  std::unique_lock lock(state_->mutex);
  if (!state_->started) return state_->tell_all(lock);
  if (state_->teller == std::this_thread::get_id()) return;
  state_->idle.wait(lock, [this] { return state_->is_idle(); });
}

}  // namespace haypile::server
