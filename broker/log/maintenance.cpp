#include "log/maintenance.hpp"

#include "engine/canary.hpp"
#include "log/checkpoint.hpp"
#include "log/pile.hpp"
#include "log/segment.hpp"

namespace haypile::log {

void Maintenance::perform(const MaintenanceTask& task) {
  if (const auto* pile = std::get_if<WritePilePart>(&task.what)) {
    disk_reserve_.with_reserve([&] { store(*pile); });
  } else if (const auto* files = std::get_if<InstallCheckpoint>(&task.what)) {
    recycle(*files);
  } else if (const auto* thinning = std::get_if<std::shared_ptr<Thinning>>(&task.what)) {
    thin(**thinning);
  } else {
    disk_reserve_.refill_reserve();
  }
}

// Readers may use the file as far as `written` says.
void Maintenance::store(const WritePilePart& part) {
  if (part.offset == 0) pile_file_ = files_.create(path(pile_name(part.number)));
  const std::uint64_t end = part.offset + part.bytes->size();
  pile_file_->allocate(end);
  pile_file_->write(part.offset, *part.bytes);
  part.written->store(end, std::memory_order_release);
  if (!part.is_last) return;
  if (!HAYPILE_CANARY(pile_not_synced)) pile_file_->sync();
  files_.sync_directory(directory_);
  pile_file_.reset();
}

// A thinning does not use the reserve, and is not tried while the reserve is incomplete. Damage
// does not end the log here: it may be in messages that nobody needs any more. Otherwise the next
// reader reports it.
void Maintenance::thin(Thinning& thinning) {
  try {
    if (disk_reserve_.has_reserve()) {
      write_thinned(thinning, files_, directory_, id_);
      files_.sync_directory(directory_);
      if (HAYPILE_CANARY(old_file_removed_early)) {
        files_.remove(path(pile_name(thinning.old_file)));
      }
    }
  } catch (const NoSpace&) {
    thinning.is_done = false;
  } catch (const DamageError&) {
    thinning.is_damaged = true;
  }
  thinning_count_.fetch_add(1, std::memory_order_release);
}

// The order makes each step safe: the checkpoint is on disk, with its name, before a segment
// becomes a spare or a pile's file is removed.
void Maintenance::recycle(const InstallCheckpoint& recycle) {
  if (HAYPILE_CANARY(pile_removed_early)) remove_piles(recycle);
  if (HAYPILE_CANARY(segment_given_up_early)) give_back_segments(recycle);
  const std::string checkpoint =
      encode_checkpoint(recycle.head, *recycle.definitions, recycle.piles, id_);
  disk_reserve_.with_reserve(
      [&] { replace_file(files_, directory_, checkpoint_name, checkpoint); });
  checkpoint_count_.fetch_add(1, std::memory_order_release);
  if (!HAYPILE_CANARY(segment_given_up_early)) give_back_segments(recycle);
  remove_piles(recycle);
  files_.sync_directory(directory_);
}

void Maintenance::give_back_segments(const InstallCheckpoint& recycle) {
  for (const std::uint64_t number : recycle.segments)
    disk_reserve_.give_back(segment_name(number), recycle.spare_count_max);
}

void Maintenance::remove_piles(const InstallCheckpoint& recycle) {
  for (const LogPosition file : recycle.pile_files)
    files_.remove(path(pile_name(file)));
}

}  // namespace haypile::log
