// Whether the log's books agree.
#include "log/log.hpp"

namespace haypile::log {

const char* Log::broken_invariant() const {
  std::size_t extent_count = 0;
  std::uint64_t unwritten_bytes = 0;
  for (Piles::Slot slot = piles_.begin(); slot != piles_.end(); ++slot) {
    if (!piles_.has(slot)) continue;
    const Pile& pile = piles_.at(slot);
    if (const char* broken = pile.broken_invariant()) return broken;
    extent_count += pile.extents.size();
    unwritten_bytes += pile.unwritten.size();
  }
  if (extent_count != piles_.extent_count()) return "count of extents";
  if (unwritten_bytes != unwritten_bytes_) return "bytes that wait to be in a pile";
  std::uint64_t copy_bytes = 0;
  for (const SegmentUse& segment : segments_) {
    if (segment.live_count == 0 && segment.pile_bytes != 0) return "room for an empty segment";
    copy_bytes += segment.pile_bytes;
  }
  return copy_bytes == pile_bytes_ ? nullptr : "room that a move needs";
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
