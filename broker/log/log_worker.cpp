#include "log/log_worker.hpp"

#include <utility>

#include "log/signals_blocked.hpp"

namespace haypile::log {

namespace {
// Buffers of batches that are kept for the next ones.
constexpr std::size_t buffer_count_max = 4;
constexpr std::size_t buffer_size_max = 4u << 20;
}  // namespace

LogWorker::LogWorker(FileSystem& files, std::string directory, const DirectoryId& id, Calls calls)
    : files_(files), directory_(std::move(directory)), id_(id), calls_(std::move(calls)) {}

LogWorker::~LogWorker() {
  stop_threads();
}

void LogWorker::open_reserve(Piles& piles, std::uint64_t segment_size, std::uint64_t first_segment,
                             std::uint64_t reserve_size) {
  reserve_ = std::make_unique<DiskReserve>(files_, directory_, segment_size, reserve_size);
  reserve_->prepare(piles, first_segment);
  maintenance_ = std::make_unique<Maintenance>(files_, directory_, id_, *reserve_);
}

void LogWorker::open_writer(std::uint64_t segment_size, std::uint64_t segment, Newest& newest) {
  writer_ =
      std::make_unique<Writer>(files_, directory_, id_, segment_size, segment, *reserve_, newest);
}

std::string LogWorker::write(WriteBatch batch) {
  unwritten_bytes_.fetch_add(batch.bytes.size(), std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  batches_.push_back(std::move(batch));
  if (buffers_.empty()) return {};
  std::string buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void LogWorker::write_first() {
  writer_->run(std::exchange(batches_, {}), {});
  unwritten_bytes_ = 0;
}

void LogWorker::perform(MaintenanceTask task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  maintenance_wake_.notify_one();
}

void LogWorker::step_writer() {
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    current_batches_.swap(batches_);
  }
  try {
    writer_->run(current_batches_, [this] {
      if (calls_.on_durable) calls_.on_durable();
      // The maintenance thread holds the lock from its look at durable() until it sleeps. Taking
      // the lock here means that it has either seen the new value or sleeps, and then hears the
      // call.
      bool has_work = false;
      {
        const std::lock_guard lock(mutex_);
        has_work = has_due_task() || reserve_->wants_spare();
      }
      if (has_work) maintenance_wake_.notify_one();
    });
  } catch (const IoError& error) {
    if (!HAYPILE_CANARY(error_not_final)) fail(error);
  }
  return_buffers();
}

void LogWorker::return_buffers() {
  std::uint64_t size = 0;
  const std::lock_guard lock(mutex_);
  for (WriteBatch& batch : current_batches_) {
    size += batch.bytes.size();
    if (buffers_.size() < buffer_count_max && batch.bytes.capacity() <= buffer_size_max) {
      buffers_.push_back(std::move(batch.bytes));
    }
  }
  current_batches_.clear();
  unwritten_bytes_.fetch_sub(size, std::memory_order_relaxed);
}

void LogWorker::step_maintenance() {
  std::unique_lock lock(mutex_);
  while (!failed_ && has_due_task())
    perform_task(lock);
  lock.unlock();
  if (!failed_ && reserve_->wants_spare()) make_spare();
}

// The lock is held before and after the call, but not while the task is carried out.
void LogWorker::perform_task(std::unique_lock<std::mutex>& lock) {
  const MaintenanceTask task = std::move(tasks_.front());
  tasks_.pop_front();
  lock.unlock();
  try {
    maintenance_->perform(task);
    if (calls_.on_durable) calls_.on_durable();
  } catch (const IoError& error) {
    fail(error);
  }
  lock.lock();
}

void LogWorker::make_spare() {
  try {
    reserve_->zero_some();
  } catch (const IoError& error) {
    fail(error);
  }
}

void LogWorker::run_writer() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      writer_wake_.wait(lock, [this] { return failed_ || writer_stops_ || !batches_.empty(); });
      if (failed_ || batches_.empty()) return;
    }
    step_writer();
  }
}

// Tasks come before spare segments, which are made bit by bit while there is nothing else to do.
void LogWorker::run_maintenance() {
  std::unique_lock lock(mutex_);
  while (true) {
    maintenance_wake_.wait(lock, [this] {
      return failed_ || maintenance_stops_ || has_due_task() || reserve_->wants_spare();
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

void LogWorker::start_threads() {
  const SignalsBlocked blocked;
  writer_thread_ = std::thread([this] { run(&LogWorker::run_writer); });
  maintenance_thread_ = std::thread([this] { run(&LogWorker::run_maintenance); });
}

// A lack of memory is as final as a write that has failed.
void LogWorker::run(void (LogWorker::*thread)()) {
  try {
    (this->*thread)();
  } catch (const std::exception& error) {
    fail(IoError(std::string("the log cannot go on: ") + error.what()));
  }
}

// The writer stops first: tasks wait for what it writes.
void LogWorker::stop_threads() {
  if (!has_threads()) return;
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

void LogWorker::fail(const IoError& error) {
  if (!writer_) {
    early_failure_ = std::current_exception();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(failed_, true)) return;
  }
  maintenance_wake_.notify_one();
  writer_wake_.notify_one();
  if (calls_.on_failure) calls_.on_failure(error.what());
}

}  // namespace haypile::log
