// Who does what was handed over: the writer's thread and the maintenance thread, or step().
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

void Log::hand_over(MaintenanceTask task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  maintenance_wake_.notify_one();
}

void Log::step_maintenance() {
  std::unique_lock lock(mutex_);
  while (!failed_ && has_due_task())
    perform_task(lock);
  lock.unlock();
  if (!failed_ && disk_reserve_->wants_spare()) make_spare();
}

void Log::write_batches() {
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    current_batches_.swap(batches_);
  }
  try {
    writer_->run(current_batches_, [this] {
      if (options_.on_durable) options_.on_durable();
      // Between the maintenance thread's look at durable() and its sleep the lock is held.
      bool has_work = false;
      {
        const std::lock_guard lock(mutex_);
        has_work = has_due_task() || disk_reserve_->wants_spare();
      }
      if (has_work) maintenance_wake_.notify_one();
    });
  } catch (const IoError& error) {
    if (!HAYPILE_CANARY(error_not_final)) fail(error);
  }
  return_buffers();
}

void Log::return_buffers() {
  std::uint64_t size = 0;
  const std::lock_guard lock(mutex_);
  for (WriteBatch& batch : current_batches_) {
    size += batch.bytes.size();
    if (buffers_.size() < buffer_count_max && batch.bytes.capacity() <= buffer_size_max) {
      buffers_.push_back(std::move(batch.bytes));
    }
  }
  current_batches_.clear();
  unwritten_batch_bytes_.fetch_sub(size, std::memory_order_relaxed);
}

// The lock is held before and after.
void Log::perform_task(std::unique_lock<std::mutex>& lock) {
  const MaintenanceTask task = std::move(tasks_.front());
  tasks_.pop_front();
  lock.unlock();
  try {
    maintenance_->perform(task);
    if (options_.on_durable) options_.on_durable();
  } catch (const IoError& error) {
    fail(error);
  }
  lock.lock();
}

void Log::make_spare() {
  try {
    disk_reserve_->zero_some();
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

void Log::run_maintenance() {
  std::unique_lock lock(mutex_);
  while (true) {
    maintenance_wake_.wait(lock, [this] {
      return failed_ || maintenance_stops_ || has_due_task() || disk_reserve_->wants_spare();
    });
    if (failed_) return;
    if (has_due_task()) {
      perform_task(lock);
    } else if (maintenance_stops_) {
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
  maintenance_thread_ = std::thread([this] { run(&Log::run_maintenance); });
}

// A want of memory is as final as a write that has failed.
void Log::run(void (Log::*thread)()) {
  try {
    (this->*thread)();
  } catch (const std::exception& error) {
    fail(IoError(std::string("the log cannot go on: ") + error.what()));
  }
}

// The writer first: what it writes is what maintenance waits for.
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
  stop(maintenance_stops_, maintenance_wake_, maintenance_thread_);
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
  maintenance_wake_.notify_one();
  writer_wake_.notify_one();
  if (options_.on_failure) options_.on_failure(error.what());
}

}  // namespace haypile::log
