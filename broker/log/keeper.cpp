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
  } else {
    space_.refill_reserve();
  }
}

void Keeper::store(const StorePile& pile) {
  const auto file = files_.create(path(pile_name(pile.number)));
  file->allocate(pile.bytes->size());
  file->write(0, *pile.bytes);
  if (!HAYPILE_CANARY(pile_not_synced)) file->sync();
  files_.sync_directory(directory_);
}

void Keeper::recycle(const Recycle& recycle) {
  if (HAYPILE_CANARY(pile_removed_early)) remove_piles(recycle);
  if (HAYPILE_CANARY(segment_given_up_early)) give_back_segments(recycle);
  space_.with_reserve(
      [&] { replace_file(files_, directory_, checkpoint_name, recycle.checkpoint); });
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
  for (const LogPosition number : recycle.piles)
    files_.remove(path(pile_name(number)));
}

}  // namespace haypile::log
