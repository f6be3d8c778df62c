#include "log/keeper.hpp"

#include "engine/canary.hpp"
#include "log/checkpoint.hpp"
#include "log/pile.hpp"
#include "log/segment.hpp"

namespace haypile::log {

void Keeper::perform(const Chore& chore) {
  if (const auto* pile = std::get_if<StorePile>(&chore.what)) {
    space_.with_reserve([&] { store(*pile); });
  } else if (const auto* files = std::get_if<Recycle>(&chore.what)) {
    recycle(*files);
  } else if (const auto* thinning = std::get_if<std::shared_ptr<Thinning>>(&chore.what)) {
    thin(**thinning);
  } else {
    space_.refill_reserve();
  }
}

// The file may be read as far as it has been written.
void Keeper::store(const StorePile& part) {
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

// The reserve is not for this, nor what is left of it. What is damaged may be what nobody needs any
// more: if it is not, whoever reads it will say so.
void Keeper::thin(Thinning& thinning) {
  try {
    if (space_.has_reserve()) {
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

void Keeper::recycle(const Recycle& recycle) {
  if (HAYPILE_CANARY(pile_removed_early)) remove_piles(recycle);
  if (HAYPILE_CANARY(segment_given_up_early)) give_back_segments(recycle);
  const std::string checkpoint =
      encode_checkpoint(recycle.head, *recycle.definitions, recycle.piles, id_);
  space_.with_reserve([&] { replace_file(files_, directory_, checkpoint_name, checkpoint); });
  checkpoint_count_.fetch_add(1, std::memory_order_release);
  if (!HAYPILE_CANARY(segment_given_up_early)) give_back_segments(recycle);
  remove_piles(recycle);
  files_.sync_directory(directory_);
}

void Keeper::give_back_segments(const Recycle& recycle) {
  for (const std::uint64_t number : recycle.segments)
    space_.give_back(segment_name(number), recycle.spare_count_max);
}

void Keeper::remove_piles(const Recycle& recycle) {
  for (const LogPosition file : recycle.pile_files)
    files_.remove(path(pile_name(file)));
}

}  // namespace haypile::log
