// Writes what was appended, and maintains the log's files, on threads of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/canary.hpp"
#include "log/disk_reserve.hpp"
#include "log/file_system.hpp"
#include "log/maintenance.hpp"
#include "log/newest.hpp"
#include "log/writer.hpp"

namespace haypile::log {

// Runs the Writer and Maintenance on two threads, each with a queue: batches for the Writer, tasks
// for Maintenance. No confirm waits for a task. Without threads, step_writer() and
// step_maintenance() do the work of one round.
//
// The first failure is final: nothing is written or carried out afterwards, and durable() never
// rises again. All calls except durable(), has_failed() and fail() must come from the engine's
// thread.
class LogWorker {
 public:
  struct Calls {
    // Called when durable() has risen or a task is done, by the thread that did it.
    std::function<void()> on_durable{};
    // Called once, by the thread that noticed the failure. The text is one line.
    std::function<void(const std::string&)> on_failure{};
  };

  // `files` must outlive the worker.
  LogWorker(FileSystem& files, std::string directory, const DirectoryId& id, Calls calls);
  // Stops the threads once what was handed over is done.
  ~LogWorker();
  LogWorker(const LogWorker&) = delete;
  LogWorker& operator=(const LogWorker&) = delete;

  // The two steps of a start. The first one makes the reserve. The second one makes the writer,
  // which continues in the segment of that number; 0: there is none yet. `newest` must outlive the
  // worker. Both throw IoError and do not call fail(). See also rethrow_early_failure().
  void open_reserve(Piles& piles, std::uint64_t segment_size, std::uint64_t first_segment,
                    std::uint64_t reserve_size);
  void open_writer(std::uint64_t segment_size, std::uint64_t segment, Newest& newest);
  void start_threads();
  // Finishes what was handed over. Nothing may be handed over afterwards. Does nothing if there are
  // no threads.
  void stop_threads();
  bool has_threads() const { return writer_thread_.joinable(); }

  // Takes over a batch and returns an empty buffer for the next one. Does not wake the writer.
  std::string write(WriteBatch batch);
  void wake_writer() { writer_wake_.notify_one(); }
  void perform(MaintenanceTask task);
  // Writes the first batch on this thread, before there are other threads.
  void write_first();

  LogPosition durable() const { return writer_->durable(); }
  void set_durable(LogPosition position) { writer_->set_durable(position); }
  // The size of the batches that were handed over and have not been written.
  std::uint64_t unwritten_bytes() const { return unwritten_bytes_.load(std::memory_order_relaxed); }
  // The numbers of checkpoints on disk and of thinnings that were tried, among those that were
  // handed over in this run.
  std::uint64_t checkpoint_count() const { return maintenance_->checkpoint_count(); }
  std::uint64_t thinning_count() const { return maintenance_->thinning_count(); }
  DiskReserve& reserve() { return *reserve_; }
  const DiskReserve& reserve() const { return *reserve_; }

  void step_writer();
  void step_maintenance();

  // Must be called while that error is handled (in a catch block). If there is no writer yet, the
  // failure is kept for rethrow_early_failure().
  void fail(const IoError& error);
  void rethrow_early_failure() const {
    if (early_failure_) std::rethrow_exception(early_failure_);
  }
  // Final once no thread is running.
  bool has_failed() const { return failed_; }

 private:
  bool has_due_task() const {
    return !tasks_.empty() &&
           (tasks_.front().after <= durable() || HAYPILE_CANARY(checkpoint_ahead_of_log));
  }
  void run(void (LogWorker::*thread)());
  void run_writer();
  void run_maintenance();
  void perform_task(std::unique_lock<std::mutex>& lock);
  void make_spare();
  void return_buffers();

  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  const Calls calls_;
  std::unique_ptr<DiskReserve> reserve_;
  std::unique_ptr<Maintenance> maintenance_;
  std::unique_ptr<Writer> writer_;
  std::exception_ptr early_failure_;
  std::atomic<std::uint64_t> unwritten_bytes_{0};

  // Guards the members from here to failed_.
  std::mutex mutex_;
  std::condition_variable writer_wake_;
  std::condition_variable maintenance_wake_;
  std::vector<WriteBatch> batches_;
  std::deque<MaintenanceTask> tasks_;
  std::vector<std::string> buffers_;  // of written batches, for the next ones
  bool writer_stops_ = false;
  bool maintenance_stops_ = false;
  bool failed_ = false;

  std::vector<WriteBatch> current_batches_;  // only for the writer's thread
  std::thread writer_thread_;
  std::thread maintenance_thread_;
};

}  // namespace haypile::log
