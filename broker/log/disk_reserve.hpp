// Space on the disk that is set aside before it is needed: spare segments, and a reserve.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/canary.hpp"
#include "log/file_system.hpp"
#include "log/piles.hpp"

namespace haypile::log {

// Makes sure that a full disk only stops what can wait. What must be written takes the space of the
// reserve, until refill_reserve() finds space for the reserve again. If the reserve is used up,
// NoSpace is final. Calls may come from two threads: the one that writes segments, and the
// maintenance thread, which alone calls zero_some(). All calls may throw IoError.
class DiskReserve {
 public:
  // `files` must outlive the object.
  DiskReserve(FileSystem& files, std::string directory, std::uint64_t segment_size,
              std::uint64_t reserve_size);

  // Whether only this class uses a file of that name. A start removes it or makes it anew.
  static bool is_scratch(std::string_view name);

  // Removes files that an earlier run has left and that are not used, and makes the reserve.
  // `first_segment` is the first segment that is needed.
  void prepare(Piles& piles, std::uint64_t first_segment);

  // Returns the name of a file that is as large as a segment, zeroed or used before. Makes one if
  // there is none.
  std::string take_spare();
  // Makes a segment that is not needed a spare. If there are `spare_count_max` spares, removes it.
  void give_back(const std::string& name, std::size_t spare_count_max);
  // Says that a spare will be needed soon.
  void want_spare() { wanted_.store(true, std::memory_order_release); }
  bool wants_spare() const { return wanted_.load(std::memory_order_acquire); }
  // Makes a part of the spare that is wanted. If the disk is full, none is wanted any more.
  void zero_some();

  bool has_reserve() const { return has_reserve_.load(std::memory_order_acquire); }
  void refill_reserve();
  // Calls `action`. If there is no space, gives up the reserve and calls it again.
  template <class Action>
  void with_reserve(Action action) {
    try {
      return action();
    } catch (const NoSpace&) {
      if (HAYPILE_CANARY(reserve_ignored) || !release_reserve()) throw;
    }
    action();
  }

 private:
  // A spare that is being made.
  struct Zeroing {
    std::string name;
    std::unique_ptr<File> file;
    std::uint64_t size = 0;
  };
  bool release_reserve();
  // Writes up to `size` bytes more. Returns true when the spare is complete.
  bool zero(Zeroing& zeroing, std::uint64_t size);
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string spare_name();

  FileSystem& files_;
  const std::string directory_;
  const std::uint64_t segment_size_;
  const std::uint64_t reserve_size_;
  Zeroing zeroing_;
  std::atomic<bool> wanted_{false};
  std::atomic<bool> has_reserve_{false};
  std::atomic<std::uint64_t> spare_count_{0};  // all spares that were ever named
  // Guards the reserve's file. The writer only waits for it if the disk is full.
  std::mutex reserve_mutex_;
  std::mutex mutex_;  // guards spares_; no file is used while it is held
  std::vector<std::string> spares_;
};

}  // namespace haypile::log
