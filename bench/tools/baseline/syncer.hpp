// The thread that brings batches of log records to the disk.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string_view>
#include <thread>

#include "tools/baseline/buffer.hpp"

namespace haypile::bench::baseline {

// Writes a single file again and again, whose blocks were written before, so that a sync brings
// only data to the disk. What it has written is never read. A disk error ends the process.
class Syncer {
 public:
  // Creates the file, which takes some time. Throws std::system_error.
  explicit Syncer(const std::filesystem::path& directory);
  ~Syncer();
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  // Takes the batch's bytes and leaves it empty. Returns the batch's number, counted from 1. Waits
  // only while very much is unwritten.
  std::uint64_t submit(Buffer& batch);
  // The last batch that is on disk; all earlier ones are, too.
  std::uint64_t done() const { return done_.load(std::memory_order_acquire); }
  // An eventfd that is written to whenever done() has risen. Wait for it with edge-triggered epoll,
  // and do not read it.
  int wake_descriptor() const { return wake_; }

 private:
  void run();
  void fill();
  void write(std::string_view bytes);

  int file_ = -1;
  int wake_ = -1;
  std::uint64_t position_ = 0;
  std::atomic<std::uint64_t> done_{0};

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable taken_;
  // Protected by mutex_.
  Buffer pending_;
  std::uint64_t last_ = 0;
  bool idle_ = false;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace haypile::bench::baseline
