// Who does what was handed over: the writer's thread and the keeper's, or step().
#include <exception>
#include <string>
#include <utility>

#include "engine/canary.hpp"
#include "log/log.hpp"
#include "log/signals_blocked.hpp"

namespace haypile::log {

namespace {
// Buffers for batches that are kept for the next ones.
constexpr std::size_t buffer_count_max = 4;
constexpr std::size_t buffer_size_max = 4u << 20;
}  // namespace

void Log::hand_over(Chore chore) {
  {
    const std::lock_guard lock(mutex_);
    chores_.push_back(std::move(chore));
  }
  keeper_wake_.notify_one();
}

void Log::step_keeper() {
  std::unique_lock lock(mutex_);
  while (!failed_ && has_chore())
    do_chore(lock);
  lock.unlock();
  if (!failed_ && space_->wants_spare()) make_spare();
}

void Log::write_batches() {
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    at_hand_.swap(batches_);
  }
  try {
    writer_->run(at_hand_, [this] {
      if (options_.on_durable) options_.on_durable();
      // Between the keeper's look at durable() and its sleep the lock is held.
      bool has_work = false;
      {
        const std::lock_guard lock(mutex_);
        has_work = has_chore() || space_->wants_spare();
      }
      if (has_work) keeper_wake_.notify_one();
    });
  } catch (const IoError& error) {
    if (!HAYPILE_CANARY(error_not_final)) fail(error);
  }
  give_buffers_back();
}

void Log::give_buffers_back() {
  std::uint64_t size = 0;
  const std::lock_guard lock(mutex_);
  for (WriteBatch& batch : at_hand_) {
    size += batch.bytes.size();
    if (buffers_.size() < buffer_count_max && batch.bytes.capacity() <= buffer_size_max) {
      buffers_.push_back(std::move(batch.bytes));
    }
  }
  at_hand_.clear();
  unwritten_batch_bytes_.fetch_sub(size, std::memory_order_relaxed);
}

// The lock is held before and after.
void Log::do_chore(std::unique_lock<std::mutex>& lock) {
  const Chore chore = std::move(chores_.front());
  chores_.pop_front();
  lock.unlock();
  try {
    keeper_->perform(chore);
    if (options_.on_durable) options_.on_durable();
  } catch (const IoError& error) {
    fail(error);
  }
  lock.lock();
}

void Log::make_spare() {
  try {
    space_->zero_some();
  } catch (const IoError& error) {
    fail(error);
  }
}

void Log::run_writer() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      writer_wake_.wait(lock, [this] { return failed_ || writer_stops_ || !batches_.empty(); });
      if (failed_ || batches_.empty()) return;
    }
    write_batches();
  }
}

void Log::run_keeper() {
  std::unique_lock lock(mutex_);
  while (true) {
    keeper_wake_.wait(
        lock, [this] { return failed_ || keeper_stops_ || has_chore() || space_->wants_spare(); });
    if (failed_) return;
    if (has_chore()) {
      do_chore(lock);
    } else if (keeper_stops_) {
      return;
    } else {
      lock.unlock();
      make_spare();
      lock.lock();
    }
  }
}

void Log::start_threads() {
  const SignalsBlocked blocked;
  writer_thread_ = std::thread([this] { run(&Log::run_writer); });
  keeper_thread_ = std::thread([this] { run(&Log::run_keeper); });
}

// A want of memory is as final as a write that has failed.
void Log::run(void (Log::*thread)()) {
  try {
    (this->*thread)();
  } catch (const std::exception& error) {
    fail(IoError(std::string("the log cannot go on: ") + error.what()));
  }
}

// The writer first: what it writes is what the keeper waits for.
void Log::stop_threads() {
  if (!writer_thread_.joinable()) return;
  const auto stop = [this](bool& stops, std::condition_variable& wake, std::thread& thread) {
    {
      const std::lock_guard lock(mutex_);
      stops = true;
    }
    wake.notify_one();
    thread.join();
  };
  stop(writer_stops_, writer_wake_, writer_thread_);
  stop(keeper_stops_, keeper_wake_, keeper_thread_);
}

void Log::fail(const IoError& error) {
  if (!writer_) {  // recover() will throw it
    recovery_error_ = std::current_exception();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(failed_, true)) return;
  }
  keeper_wake_.notify_one();
  writer_wake_.notify_one();
  if (options_.on_failure) options_.on_failure(error.what());
}

}  // namespace haypile::log
