// What is done beside the writing, and keeps the log in its bounds: piles, checkpoints, and files
// that are not needed any more. It has a thread of its own: no confirm waits for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "log/checkpoint.hpp"
#include "log/disk_reserve.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"
#include "log/thinning.hpp"
#include "log/unwritten.hpp"

namespace haypile::log {

// A part of a pile's file; they come front to back. The checkpoint that makes it count comes later.
struct WritePilePart {
  LogPosition number = 0;
  std::uint64_t offset = 0;
  Unwritten::Part bytes;
  std::shared_ptr<std::atomic<std::uint64_t>> written;  // to be raised
  bool is_last = false;
};

// Files that nothing is needed of any more, once the checkpoint is in place.
struct InstallCheckpoint {
  CheckpointHead head;
  std::shared_ptr<const std::string> definitions;
  std::string piles;
  std::vector<std::uint64_t> segments;
  std::vector<LogPosition> pile_files;
  std::size_t spare_count_max = 0;  // emptied segments beyond these are removed
};

// Space that is kept for what has to be written even when the disk is full.
struct RefillReserve {};

struct MaintenanceTask {
  std::variant<WritePilePart, InstallCheckpoint, RefillReserve, std::shared_ptr<Thinning>> what;
  LogPosition after = 0;  // not before the log is durable up to here
};

// Used by one thread at a time, but for the two counts.
class Maintenance {
 public:
  // Both outlive it.
  Maintenance(FileSystem& files, std::string directory, const DirectoryId& id, DiskReserve& space)
      : files_(files), directory_(std::move(directory)), id_(id), disk_reserve_(space) {}

  // Throws IoError; nothing may be done afterwards.
  void perform(const MaintenanceTask& task);
  // Of those that are on disk.
  std::uint64_t checkpoint_count() const {
    return checkpoint_count_.load(std::memory_order_acquire);
  }
  // Of those that have been carried out; or there was no room.
  std::uint64_t thinning_count() const { return thinning_count_.load(std::memory_order_acquire); }

 private:
  void store(const WritePilePart& part);
  void thin(Thinning& thinning);
  void recycle(const InstallCheckpoint& recycle);
  void give_back_segments(const InstallCheckpoint& recycle);
  void remove_piles(const InstallCheckpoint& recycle);
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  DiskReserve& disk_reserve_;
  std::unique_ptr<File> pile_file_;  // of the pile that is being written
  std::atomic<std::uint64_t> checkpoint_count_{0};
  std::atomic<std::uint64_t> thinning_count_{0};
};

}  // namespace haypile::log
