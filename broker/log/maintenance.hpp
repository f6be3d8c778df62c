// The work that keeps a log within its limits: piles, checkpoints, and the removal of files. It has
// a thread of its own, so that no confirm waits for it.
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

// A part of a pile's file. Parts come from front to back. The pile counts only when a later
// checkpoint names it.
struct WritePilePart {
  LogPosition number = 0;
  std::uint64_t offset = 0;
  Unwritten::Part bytes;
  std::shared_ptr<std::atomic<std::uint64_t>> written;  // raised when the part is in the file
  bool is_last = false;
};

// A checkpoint to be written, and the files that are not needed after that.
struct InstallCheckpoint {
  CheckpointHead head;
  std::shared_ptr<const std::string> definitions;
  std::string piles;
  std::vector<std::uint64_t> segments;
  std::vector<LogPosition> pile_files;
  std::size_t spare_count_max = 0;  // further emptied segments are removed
};

// Fills the space that is kept for what must be written even when the disk is full.
struct RefillReserve {};

struct MaintenanceTask {
  std::variant<WritePilePart, InstallCheckpoint, RefillReserve, std::shared_ptr<Thinning>> what;
  LogPosition after = 0;  // not before the log is durable up to here
};

// Carries out tasks. Used by one thread at a time, except for the two counts, which any thread may
// read.
class Maintenance {
 public:
  // All parameters must outlive the object.
  Maintenance(FileSystem& files, std::string directory, const DirectoryId& id, DiskReserve& space)
      : files_(files), directory_(std::move(directory)), id_(id), disk_reserve_(space) {}

  // Throws IoError. Nothing may be called afterwards.
  void perform(const MaintenanceTask& task);
  // The number of checkpoints that are on disk.
  std::uint64_t checkpoint_count() const {
    return checkpoint_count_.load(std::memory_order_acquire);
  }
  // The number of thinnings that were carried out, or had no room.
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
