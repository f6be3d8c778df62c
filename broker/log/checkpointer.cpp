#include "log/checkpointer.hpp"

#include <algorithm>
#include <utility>

#include "engine/canary.hpp"

namespace haypile::log {

// Segments are given up in their order only: an acknowledgement is never given up before the
// message it belongs to. The checkpoint is written once the log is durable up to its position. A
// log is never without a segment: the last one that is on disk by then stays.
void Checkpointer::run(std::size_t segments_max) {
  if (!may_write(segments_max)) return;
  InstallCheckpoint checkpoint;
  const LogPosition end = appender_.handed_over_end();
  const std::size_t kept_count = end > segments_.last_begin() ? 1 : 2;
  while (segments_.count() > kept_count &&
         (segments_.is_first_unused() || HAYPILE_CANARY(live_segment_recycled))) {
    checkpoint.segments.push_back(segments_.give_up_first());
  }
  const bool is_due = std::exchange(schedule_.is_due, false);
  if (checkpoint.segments.empty() && !piles_.has_empty() && !is_due) return;
  checkpoint.pile_files = piles_.take_unused_files();
  ++schedule_.count;
  checkpoint.spare_count_max = segments_max - std::min(segments_max, segments_.count());
  checkpoint.head = {segments_.first(), end, mover_.moved()};
  checkpoint.definitions = definitions();
  checkpoint.piles = encode_piles(piles_.piles());
  worker_.perform({std::move(checkpoint), end});
}

// Only one checkpoint is written at a time, and not before it lets the log give up as much as
// writing it takes: with many definitions, checkpoints would otherwise be most of what is written.
// Two things are urgent and do not wait for that: a ring that is getting full, and piles, which
// stay in memory until a checkpoint names them. The last checkpoint does not wait either. It must
// name all piles, because only they say which of their messages were delivered.
bool Checkpointer::may_write(std::size_t segments_max) const {
  if (is_closing_) return true;
  if (worker_.checkpoint_count() != schedule_.count) return false;
  if (schedule_.is_due || segments_.count() >= segments_max / 4 * 3) return true;
  const std::uint64_t unused_bytes =
      segments_.unused_count() * segments_.segment_size() + piles_.empty_bytes();
  return !are_definitions_known() || unused_bytes >= 2 * definitions_->size();
}

const std::shared_ptr<const std::string>& Checkpointer::definitions() {
  if (!are_definitions_known()) {
    definitions_ = std::make_shared<const std::string>(catalog_.encode());
    definitions_change_count_ = catalog_.change_count();
  }
  return definitions_;
}

}  // namespace haypile::log
