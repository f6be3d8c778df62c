// Writes batches to segments and syncs them. Knows files and batches, but not the records in them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "log/disk_reserve.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"
#include "log/newest.hpp"

namespace haypile::log {

// A batch and its place in the log.
struct WriteBatch {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::string bytes;
  LogPosition end = 0;  // durable up to here once it is synced
};

// Writes what the appender has put together. Used by one thread at a time, except durable().
class Writer {
 public:
  // `segment` is the segment to continue with; 0: there is none yet. All parameters must outlive
  // the writer.
  Writer(FileSystem& files, std::string directory, const DirectoryId& id,
         std::uint64_t segment_size, std::uint64_t segment, DiskReserve& space, Newest& newest);

  // Writes all batches in their order, with one sync for each segment. Calls `on_durable` whenever
  // durable() has risen. Throws IoError; nothing may be called afterwards.
  void run(const std::vector<WriteBatch>& batches, const std::function<void()>& on_durable);

  LogPosition durable() const { return durable_.load(std::memory_order_acquire); }
  void set_durable(LogPosition position) { durable_.store(position, std::memory_order_release); }

 private:
  void write(const WriteBatch& batch, const std::function<void()>& on_durable);
  void sync(const std::function<void()>& on_durable);
  void open_segment(std::uint64_t number);
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  const std::uint64_t segment_size_;
  std::uint64_t segment_;
  DiskReserve& space_;
  Newest& newest_;
  std::unique_ptr<File> file_;
  LogPosition written_ = 0;
  bool dirty_ = false;
  std::atomic<LogPosition> durable_{0};
};

}  // namespace haypile::log
