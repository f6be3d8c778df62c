// Piles of which little is left get new files: what has left its queue gives its space back.
#include <algorithm>
#include <utility>

#include "engine/canary.hpp"
#include "log/log.hpp"
#include "log/record.hpp"

namespace haypile::log {

namespace {
// One that gives back less is left as it is; on most file systems it would not even be seen.
constexpr std::uint64_t gain_min = 16u << 10;
// Checkpoints without a loss after which a pile counts as one that nobody takes from.
constexpr std::uint64_t idle_checkpoints = 2;
}  // namespace

// One at a time. A checkpoint, or as many bytes as a segment has gone unused, is when there may be
// something new.
void Log::thin_piles() {
  bool is_look_due = looked_at_ != checkpoint_count_ || dropped_bytes_ >= segment_size_;
  if (thinning_) {
    if (maintenance_->thinning_count() != thinning_count_) return;
    is_look_due =
        is_look_due || thinning_->is_done || thinning_->is_damaged || thinning_->is_too_large;
    install(*std::exchange(thinning_, nullptr));
  }
  if (!is_look_due) return;
  looked_at_ = checkpoint_count_;
  dropped_bytes_ = 0;
  const auto slot = pile_to_thin();
  if (!slot) return;
  const Pile& pile = piles_.at(*slot);
  // The record gives the file a number that no other one will ever have.
  make_room(1);
  thinning_ = std::make_shared<Thinning>(Thinning{.slot = *slot,
                                                  .pile = pile.number,
                                                  .old_file = pile.file,
                                                  .new_file = next_position(),
                                                  .old_size = pile.size,
                                                  .gone = pile.gone,
                                                  .live_count = pile.live_count(),
                                                  .size_max = pile.size - pile.size / 8});
  append_mark(batch_, RecordType::move);
  ++thinning_count_;
  hand_over({thinning_, 0});
}

// All files together are not to be larger than half as much again as what is left in them, and one
// file. Queues that are emptied in order stay within that: nothing is written anew for them. A pile
// that nobody takes from is to be no larger than twice what is left in it.
std::optional<Piles::Slot> Log::pile_to_thin() {
  std::uint64_t live = 0;
  std::uint64_t dead = 0;
  std::uint64_t largest = 0;
  std::optional<Piles::Slot> best;
  std::optional<Piles::Slot> best_idle;
  const auto is_better = [this](const Pile& pile, const std::optional<Piles::Slot>& than) {
    if (!than) return true;
    const Pile& other = piles_.at(*than);
    return static_cast<double>(pile.live_bytes()) * static_cast<double>(other.size) <
           static_cast<double>(other.live_bytes()) * static_cast<double>(pile.size);
  };
  const std::uint64_t gain = std::min(gain_min, segment_size_ / 4);
  piles_.each([&](Piles::Slot slot, const Pile& pile) {
    const std::uint64_t left = pile.live_bytes();
    const std::uint64_t unused = pile.size - std::min(pile.size, left);
    live += left;
    dead += unused;
    largest = std::max(largest, pile.size);
    if (pile.is_young || pile.is_damaged || pile.live_count() == 0) return;
    if (pile.live_count() > pile.thin_below) return;
    if (unused < gain || unused < pile.size / 3) return;
    if (is_better(pile, best)) best = slot;
    const bool is_idle = checkpoint_count_ >= pile.last_drop + idle_checkpoints;
    if (is_idle && unused >= pile.size / 2 && is_better(pile, best_idle)) best_idle = slot;
  });
  return dead > live / 2 + largest ? best : best_idle;
}

// The next checkpoint names the new file; only then the old one goes.
void Log::install(const Thinning& thinning) {
  if (piles_.has(thinning.slot)) {
    Pile& pile = piles_.at(thinning.slot);
    if (thinning.is_damaged) pile.is_damaged = true;
    // Of messages that are in several queues less may have gone than it seemed.
    if (thinning.is_too_large) pile.thin_below = thinning.live_count / 2;
  }
  if (!thinning.is_done) return;
  is_checkpoint_due_ = true;
  if (!piles_.has(thinning.slot) || piles_.at(thinning.slot).live_count() == 0) {
    old_files_.push_back(thinning.new_file);
    return;
  }
  Pile& pile = piles_.at(thinning.slot);
  old_files_.push_back(std::exchange(pile.file, thinning.new_file));
  pile.size = thinning.size;
  pile.count = thinning.count;
  piles_.replace_extents(thinning.slot, thinning.extents);
  for (const Extent& extent : pile.extents) {
    const auto backlog = backlogs_.find({extent.queue, extent.priority});
    if (backlog != backlogs_.end()) backlog->second->thinned(thinning.slot, extent);
  }
  pile_reader_.close();
}

}  // namespace haypile::log
