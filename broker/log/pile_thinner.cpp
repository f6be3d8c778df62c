#include "log/pile_thinner.hpp"

#include <algorithm>
#include <utility>

#include "log/record.hpp"

namespace haypile::log {

namespace {
// A pile that would give back less is left as it is: most file systems would not even notice.
constexpr std::uint64_t gain_min = 16u << 10;
// A pile that lost nothing during this many checkpoints counts as one that nobody takes from.
constexpr std::uint64_t idle_checkpoints = 2;
}  // namespace

// One pile at a time. There may be something new to thin after a checkpoint, after a thinning, and
// after as many bytes as a segment has have gone unused.
void PileThinner::run() {
  bool is_look_due =
      looked_at_ != checkpoints_.count || store_.dropped_bytes() >= segments_.segment_size();
  if (thinning_) {
    if (worker_.thinning_count() != thinning_count_) return;
    is_look_due =
        is_look_due || thinning_->is_done || thinning_->is_damaged || thinning_->is_too_large;
    install(*std::exchange(thinning_, nullptr));
  }
  if (!is_look_due) return;
  looked_at_ = checkpoints_.count;
  store_.reset_dropped_bytes();
  if (const auto slot = pile_to_thin()) begin(*slot);
}

// The position of the record becomes the number of the new file: no other file will ever have it.
void PileThinner::begin(Piles::Slot slot) {
  const Pile& pile = store_.piles().at(slot);
  const LogPosition new_file = appender_.append_mark(RecordType::move);
  thinning_ = std::make_shared<Thinning>(Thinning{.slot = slot,
                                                  .pile = pile.number,
                                                  .old_file = pile.file,
                                                  .new_file = new_file,
                                                  .old_size = pile.size,
                                                  .gone = pile.gone,
                                                  .live_count = pile.live_count(),
                                                  .size_max = pile.size - pile.size / 8});
  ++thinning_count_;
  worker_.perform({thinning_, 0});
}

bool PileThinner::has_less_left(const Pile& pile, const std::optional<Piles::Slot>& than) const {
  if (!than) return true;
  const Pile& other = store_.piles().at(*than);
  return static_cast<double>(pile.live_bytes()) * static_cast<double>(other.size) <
         static_cast<double>(other.live_bytes()) * static_cast<double>(pile.size);
}

// Two limits. All files together should be at most 1.5 times as large as what is left in them, and
// one file more: queues that are emptied in order stay within this limit, so that nothing is
// written again for them. And a pile from which nobody takes messages should be at most twice as
// large as what is left in it.
std::optional<Piles::Slot> PileThinner::pile_to_thin() {
  std::uint64_t live = 0;
  std::uint64_t dead = 0;
  std::uint64_t largest = 0;
  std::optional<Piles::Slot> best;
  std::optional<Piles::Slot> best_idle;
  const std::uint64_t gain = std::min(gain_min, segments_.segment_size() / 4);
  store_.piles().each([&](Piles::Slot slot, const Pile& pile) {
    const std::uint64_t left = pile.live_bytes();
    const std::uint64_t unused = pile.size - std::min(pile.size, left);
    live += left;
    dead += unused;
    largest = std::max(largest, pile.size);
    if (pile.is_young || pile.is_damaged || pile.live_count() == 0) return;
    if (pile.live_count() > pile.thin_below) return;
    if (unused < gain || unused < pile.size / 3) return;
    if (has_less_left(pile, best)) best = slot;
    const bool is_idle = checkpoints_.count >= pile.last_drop + idle_checkpoints;
    if (is_idle && unused >= pile.size / 2 && has_less_left(pile, best_idle)) best_idle = slot;
  });
  return dead > live / 2 + largest ? best : best_idle;
}

// Meanwhile the pile may have lost more messages, or all of them. Messages that are in several
// queues may have given back less than it seemed: then the new file was too large, and the pile is
// not tried again before it has lost half of what is left.
void PileThinner::install(const Thinning& thinning) {
  Piles& piles = store_.piles();
  if (piles.has(thinning.slot)) {
    Pile& pile = piles.at(thinning.slot);
    if (thinning.is_damaged) pile.is_damaged = true;
    if (thinning.is_too_large) pile.thin_below = thinning.live_count / 2;
  }
  if (!thinning.is_done) return;
  checkpoints_.is_due = true;
  if (!piles.has(thinning.slot) || piles.at(thinning.slot).live_count() == 0) {
    store_.note_unused_file(thinning.new_file);
    return;
  }
  Pile& pile = piles.at(thinning.slot);
  store_.note_unused_file(std::exchange(pile.file, thinning.new_file));
  pile.size = thinning.size;
  pile.count = thinning.count;
  piles.replace_extents(thinning.slot, thinning.extents);
  for (const Extent& extent : pile.extents) {
    QueueBacklog* backlog = store_.find_backlog(extent.queue, extent.priority);
    if (backlog) backlog->thinned(thinning.slot, extent);
  }
  store_.reader().close();
}

}  // namespace haypile::log
