// What the log's thread does: writes, syncs, recycles. Knows files and batches, not what is in
// them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "log/file_system.hpp"
#include "log/format.hpp"
#include "log/piles.hpp"

namespace haypile::log {

// A batch for its place.
struct WriteBatch {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::string bytes;
  LogPosition end = 0;  // durable up to here once it is synced
};

// A pile, as a file of its own.
struct StorePile {
  LogPosition number = 0;
  std::shared_ptr<const std::string> bytes;
};

// Files that nothing is needed of any more, once the checkpoint is in place.
struct Recycle {
  std::string checkpoint;
  std::vector<std::uint64_t> segments;
  std::vector<LogPosition> piles;
  std::size_t spare_count_max = 0;  // emptied segments beyond these are removed
};

// Space that is kept for what has to be written even when the disk is full.
struct RefillReserve {};

using Work = std::variant<WriteBatch, StorePile, Recycle, RefillReserve>;

// A full disk stops nothing but what can wait: new segments and piles then take the place of the
// reserve, until RefillReserve finds room for it again. When that is used up, NoSpace is final.
// Used by one thread at a time, but for durable(), checkpoint_count() and has_reserve().
class Writer {
 public:
  // `segment` is the one to go on with; 0 if there is none yet. `files` outlives the writer.
  Writer(FileSystem& files, std::string directory, const DirectoryId& id,
         std::uint64_t segment_size, std::uint64_t segment, std::uint64_t reserve_size);

  // Does all of it in its order, with one sync for each segment that is written to. Calls
  // `on_durable` whenever durable() or checkpoint_count() has risen. Throws IoError; nothing may be
  // done afterwards.
  void run(const std::vector<Work>& work, const std::function<void()>& on_durable);

  // Does a bit of what can be done ahead of time: zeroing the next segment. False: nothing to do.
  bool prepare();

  LogPosition durable() const { return durable_.load(std::memory_order_acquire); }
  // Of those that are on disk.
  std::uint64_t checkpoint_count() const {
    return checkpoint_count_.load(std::memory_order_acquire);
  }
  bool has_reserve() const { return has_reserve_.load(std::memory_order_acquire); }
  void set_durable(LogPosition position) { durable_.store(position, std::memory_order_release); }

  // Removes what an earlier run left of files that were never used, or not any more, and makes the
  // reserve.
  void prepare_directory(Piles& piles);

 private:
  void write(const WriteBatch& batch, const std::function<void()>& on_durable);
  void sync(const std::function<void()>& on_durable);
  void store(const StorePile& pile);
  void refill_reserve();
  // Does it, if need be in the place of the reserve.
  template <class Action>
  void with_reserve(Action action);
  void recycle(const Recycle& recycle);
  void open_segment(std::uint64_t number);
  void zero(std::uint64_t size);
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string spare_name();

  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  const std::uint64_t segment_size_;
  std::uint64_t segment_;
  std::uint64_t used_ = 0;  // of the segment
  std::unique_ptr<File> file_;
  LogPosition written_ = 0;
  bool dirty_ = false;
  std::vector<std::string> spares_;  // whole, zeroed or used before
  std::unique_ptr<File> zeroing_;    // the spare in the making
  std::string zeroing_name_;
  std::uint64_t zeroed_ = 0;
  std::uint64_t spare_count_ = 0;
  const std::uint64_t reserve_size_;
  std::atomic<bool> has_reserve_{false};
  std::atomic<LogPosition> durable_{0};
  std::atomic<std::uint64_t> checkpoint_count_{0};
};

}  // namespace haypile::log
