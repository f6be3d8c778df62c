// Room on the disk that is there before it is needed: spare segments, and a reserve.
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

// A full disk stops nothing but what can wait: what has to be written takes the place of the
// reserve, until refill_reserve() finds room for it again. When that is used up, NoSpace is final.
// Calls may come from two threads: the one that writes segments, and the maintenance thread,
// which alone calls zero_some(). All may throw IoError.
class DiskReserve {
 public:
  // `files` outlives it.
  DiskReserve(FileSystem& files, std::string directory, std::uint64_t segment_size,
              std::uint64_t reserve_size);

  // Whether a file of that name is of no use to anybody but this class: a start removes it or makes
  // it anew.
  static bool is_scratch(std::string_view name);

  // Removes what an earlier run left of files that were never used, or not any more, and makes the
  // reserve. `first_segment`: the first that is needed.
  void prepare(Piles& piles, std::uint64_t first_segment);

  // The name of a file as large as a segment, zeroed or used before; made if there is none.
  std::string take_spare();
  // A segment that is not needed becomes a spare, or is removed if there are that many.
  void give_back(const std::string& name, std::size_t spare_count_max);
  // There should be a spare soon.
  void want_spare() { wanted_.store(true, std::memory_order_release); }
  bool wants_spare() const { return wanted_.load(std::memory_order_acquire); }
  // Makes a bit of the one that is wanted. On a full disk the wish is dropped.
  void zero_some();

  bool has_reserve() const { return has_reserve_.load(std::memory_order_acquire); }
  void refill_reserve();
  // Does it, if need be in the place of the reserve.
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
  // A spare in the making.
  struct Zeroing {
    std::string name;
    std::unique_ptr<File> file;
    std::uint64_t size = 0;
  };
  bool release_reserve();
  // Up to `size` bytes more; true when it is done.
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
  std::atomic<std::uint64_t> spare_count_{0};  // that were ever named
  // For the reserve's file: the writer waits for it only if it finds no room on the disk.
  std::mutex reserve_mutex_;
  std::mutex mutex_;  // for what follows: no file is touched while it is held
  std::vector<std::string> spares_;
};

}  // namespace haypile::log
