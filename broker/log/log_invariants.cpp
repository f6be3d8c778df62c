// Whether the log's books agree.
#include "engine/invariant.hpp"
#include "log/log.hpp"

namespace haypile::log {

using engine::expect_invariant;

void Log::check_invariants() const {
  std::size_t extent_count = 0;
  std::uint64_t unwritten_bytes = 0;
  for (Piles::Slot slot = piles_.begin(); slot != piles_.end(); ++slot) {
    if (!piles_.has(slot)) continue;
    const Pile& pile = piles_.at(slot);
    const char* broken = pile.broken_invariant();
    expect_invariant(!broken, broken ? broken : "what is left of a pile is counted");
    extent_count += pile.extents.size();
    unwritten_bytes += pile.unwritten.size();
  }
  expect_invariant(extent_count == piles_.extent_count(), "extents are counted");
  expect_invariant(unwritten_bytes == unwritten_bytes_, "what waits to be in a pile is counted");
  std::uint64_t copy_bytes = 0;
  for (const SegmentUse& segment : segments_) {
    expect_invariant(segment.live_count != 0 || segment.copy_bytes == 0,
                     "a segment without messages needs no room in a pile");
    copy_bytes += segment.copy_bytes;
  }
  expect_invariant(copy_bytes == copy_bytes_, "the room that a move needs is counted");
}

std::uint64_t Log::logged_count() const {
  std::uint64_t count = 0;
  for (const SegmentUse& segment : segments_)
    count += segment.live_count;
  return count;
}

std::uint64_t Log::stored_count() const {
  std::uint64_t count = 0;
  for (Piles::Slot slot = piles_.begin(); slot != piles_.end(); ++slot) {
    if (piles_.has(slot)) count += piles_.at(slot).live_count();
  }
  return count;
}

}  // namespace haypile::log
