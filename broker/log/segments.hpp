// The segments of a log that are in use, and how much queues still hold of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "engine/canary.hpp"
#include "log/format.hpp"

namespace haypile::log {

// How many queued messages a segment still has. A queued message is one message in one queue.
struct SegmentUse {
  std::uint64_t live_count = 0;   // queued messages whose records begin in the segment
  std::uint64_t moved_count = 0;  // those of them that are in the open pile
  // A lower bound of what the live ones would take in piles, in bytes; 0 if there is none.
  std::uint64_t pile_bytes = 0;
};

// Counts what queues still have in each segment. Segments are in the order of their numbers, which
// rise by one. A segment whose live_count is 0 may be given up once all segments before it have
// been. Belongs to the engine's thread.
class Segments {
 public:
  // Takes over what recovery found. `uses` is never empty.
  void restore(std::uint64_t segment_size, std::uint64_t first,
               const std::vector<SegmentUse>& uses) {
    segment_size_ = segment_size;
    first_ = first;
    uses_.assign(uses.begin(), uses.end());
    last_begin_ = last() * segment_size_;
    for (const SegmentUse& use : uses_)
      pile_bytes_ += use.pile_bytes;
  }

  std::uint64_t segment_size() const { return segment_size_; }
  std::size_t count() const { return uses_.size(); }
  std::uint64_t first() const { return first_; }
  std::uint64_t last() const { return first_ + uses_.size() - 1; }
  // The position at which the last segment begins.
  LogPosition last_begin() const { return last_begin_; }
  bool is_first_unused() const { return uses_.front().live_count == 0; }
  // How many segments could be given up; the last one always stays.
  std::size_t unused_count() const {
    std::size_t count = 0;
    while (count + 1 < uses_.size() && uses_[count].live_count == 0)
      ++count;
    return count;
  }
  // A lower bound of what all live messages would take in piles, in bytes.
  std::uint64_t pile_bytes() const { return pile_bytes_; }

  // Adds an empty segment behind the last one.
  void add() {
    uses_.push_back({});
    last_begin_ += segment_size_;
  }
  // Gives up the first segment; returns its number.
  std::uint64_t give_up_first() {
    uses_.pop_front();
    return first_++;
  }

  // A message for that many queues was appended to the last segment.
  void add_message(std::uint64_t queue_count, std::uint64_t pile_bytes) {
    SegmentUse& use = uses_.back();
    use.live_count += queue_count;
    use.pile_bytes += pile_bytes;
    pile_bytes_ += pile_bytes;
  }
  // The message at that position has left one queue.
  void release(LogPosition message) {
    if (HAYPILE_CANARY(live_segment_recycled) && message < first_ * segment_size_) return;
    release(use_of(message), 1);
  }
  // The message has moved to the open pile for one queue.
  void note_moved(LogPosition message) { ++use_of(message).moved_count; }
  // The move has ended: segments are no longer kept for moved messages.
  void release_moved() {
    for (SegmentUse& use : uses_)
      release(use, std::exchange(use.moved_count, 0));
  }

  std::uint64_t live_count() const {
    std::uint64_t count = 0;
    for (const SegmentUse& use : uses_)
      count += use.live_count;
    return count;
  }
  // Names an invariant that does not hold; null if all hold. Examines all segments.
  const char* broken_invariant() const {
    std::uint64_t pile_bytes = 0;
    for (const SegmentUse& use : uses_) {
      if (use.live_count == 0 && use.pile_bytes != 0) return "room for an empty segment";
      pile_bytes += use.pile_bytes;
    }
    return pile_bytes == pile_bytes_ ? nullptr : "room that a move needs";
  }

 private:
  SegmentUse& use_of(LogPosition message) { return uses_[message / segment_size_ - first_]; }
  void release(SegmentUse& use, std::uint64_t count) {
    use.live_count -= count;
    if (use.live_count == 0) pile_bytes_ -= std::exchange(use.pile_bytes, 0);
  }

  std::uint64_t segment_size_ = 0;
  std::uint64_t first_ = 1;
  LogPosition last_begin_ = 0;
  std::deque<SegmentUse> uses_;
  std::uint64_t pile_bytes_ = 0;
};

}  // namespace haypile::log
