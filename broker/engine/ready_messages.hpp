// The messages of a queue that wait for a consumer, in the order in which they are to go.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "engine/canary.hpp"
#include "engine/message.hpp"
#include "engine/surroundings.hpp"

namespace haypile::engine {

// Higher priorities first, and within one in the order of the places. A queue without priorities
// has one level and pays for no more; which levels hold anything is kept in a bitmap, so that empty
// ones are never looked at. What has left memory is read back when the messages before it have
// gone.
class ReadyMessages {
 public:
  // Messages of a higher priority count as `priority_max`. The surroundings outlive it.
  ReadyMessages(std::uint8_t priority_max, bool durable, Surroundings& surroundings)
      : durable_(durable), surroundings_(surroundings), higher_(priority_max) {}
  ~ReadyMessages() { clear(); }
  ReadyMessages(const ReadyMessages&) = delete;
  ReadyMessages& operator=(const ReadyMessages&) = delete;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // Of the bodies; may have to look at those that are not in memory.
  std::size_t bytes() const;

  // At the end of its level; its place is above all that were pushed before.
  void push(Entry&& entry) {
    added(entry);
    if (is_movable(entry)) surroundings_.movable_bytes += memory_of(entry);
    (has_levels() ? level_for(entry) : lowest_).fresh.push_back(std::move(entry));
  }
  // One that was popped, back to its place.
  void put_back(Entry&& entry) {
    if (HAYPILE_CANARY(requeue_to_tail)) return push(std::move(entry));
    added(entry);
    const std::uint64_t place = entry.place;
    (has_levels() ? level_for(entry) : lowest_).returned.emplace(place, std::move(entry));
  }
  // What recovery found on disk, before anything is pushed.
  void add_backlog(std::uint8_t priority, Backlog& backlog);

  // The head; not when empty().
  const Entry& front() const { return top().front(); }
  void pop(Entry& out) {
    if (has_levels()) return pop(top_priority(), out);
    take_front(lowest_, out);
  }

  // Pops the heads of each level for as long as `wanted(entry)`, and gives them to `take(entry)`.
  template <class Wanted, class Take>
  void pop_while(Wanted wanted, Take take) {
    for_each_used([&](unsigned priority) {
      while (const Level* level = used(priority)) {
        if (!wanted(level->front())) break;
        Entry entry;
        pop(priority, entry);
        take(entry);
      }
    });
  }
  // The head of each level.
  template <class Visit>
  void each_front(Visit visit) const {
    for_each_used([&](unsigned priority) { visit(level(priority).front()); });
  }
  // All that are in memory.
  template <class Visit>
  void each_in_memory(Visit visit) const {
    for_each_used([&](unsigned priority) {
      for (const auto& [place, entry] : level(priority).returned)
        visit(entry);
      for (const Entry& entry : level(priority).read)
        visit(entry);
      for (const Entry& entry : level(priority).fresh)
        visit(entry);
    });
  }
  // Backlogs, too: what they have not read is no longer in the queue (purged).
  void drop_backlogs();
  // What of the backlogs is not in memory has gone with the queue, and they themselves have too.
  void forget_backlogs();
  // Backlogs are left alone; after the queue is deleted they may be gone already.
  void clear();

  // The level that a message of that priority goes to.
  std::uint8_t level_of(const Message& message) const {
    return static_cast<std::uint8_t>(std::min<std::size_t>(message.priority(), higher_.size()));
  }
  std::uint8_t priority_max() const { return static_cast<std::uint8_t>(higher_.size()); }
  // Stores what there is of that level before `boundary`, and `in_hand`, which are entries of that
  // level that were popped. Those that were never popped leave memory. Nothing may be popped before
  // moved_out(), which comes when the journal's move has ended.
  void move_out(std::uint8_t priority, QueueId queue, LogPosition boundary,
                std::vector<Entry*>& in_hand);
  void moved_out();

 private:
  // Read back from the backlog, in one go; taken one by one.
  class ReadAhead {
   public:
    bool empty() const { return next_ == entries_.size(); }
    const Entry& front() const { return entries_[next_]; }
    void add(Entry&& entry) { entries_.push_back(std::move(entry)); }
    void pop(Entry& out) {
      out = std::move(entries_[next_++]);
      if (empty()) clear();
    }
    void clear() {
      entries_.clear();
      next_ = 0;
    }
    std::vector<Entry>::const_iterator begin() const {
      return entries_.begin() + static_cast<std::ptrdiff_t>(next_);
    }
    std::vector<Entry>::const_iterator end() const { return entries_.end(); }

   private:
    std::vector<Entry> entries_;
    std::size_t next_ = 0;
  };
  struct Level {
    // All places below those of `fresh`, but not of `read`.
    std::map<std::uint64_t, Entry> returned;
    ReadAhead read;  // empty only if the backlog has nothing unread
    Backlog* backlog = nullptr;
    std::deque<Entry> fresh;  // behind all others
    bool is_plain() const { return returned.empty() && read.empty(); }
    bool empty() const { return is_plain() && fresh.empty(); }
    bool returned_is_first() const {
      if (HAYPILE_CANARY(read_ahead_first)) return read.empty();
      return read.empty() || (!returned.empty() && returned.begin()->first < read.front().place);
    }
    const Entry& front() const {
      if (is_plain()) return fresh.front();
      return returned_is_first() ? returned.begin()->second : read.front();
    }
  };

  bool has_levels() const { return !higher_.empty(); }
  Level& level(unsigned priority) { return priority == 0 ? lowest_ : *higher_[priority - 1]; }
  const Level& level(unsigned priority) const {
    return priority == 0 ? lowest_ : *higher_[priority - 1];
  }
  const Level& top() const { return has_levels() ? level(top_priority()) : lowest_; }
  // The highest that is not empty; 0 without levels.
  unsigned top_priority() const;
  // Of a queue with levels.
  Level& level_for(const Entry& entry) { return use_level(level_of(*entry.message)); }
  Level& use_level(std::uint8_t priority);
  // To be called when a level may have become empty.
  void note_if_empty(unsigned priority) {
    if (has_levels() && level(priority).empty())
      used_[priority / 64] &= ~(std::uint64_t{1} << (priority % 64));
  }
  // Null if the level is empty.
  const Level* used(unsigned priority) const {
    return level(priority).empty() ? nullptr : &level(priority);
  }
  // Highest first; `visit` may empty the level it is called for.
  template <class Visit>
  void for_each_used(Visit visit) const {
    if (!has_levels()) {
      if (!lowest_.empty()) visit(0);
      return;
    }
    for (std::size_t word = used_.size(); word-- > 0;) {
      for (std::uint64_t left = used_[word]; left != 0;) {
        const auto bit = static_cast<unsigned>(std::bit_width(left)) - 1;
        left &= ~(std::uint64_t{1} << bit);
        visit(static_cast<unsigned>(word * 64) + bit);
      }
    }
  }
  void pop(unsigned priority, Entry& out);
  void take_front(Level& level, Entry& out) {
    if (level.is_plain()) {
      take_fresh(level, out);
    } else {
      take_other(level, out);
    }
    --size_;
    bytes_ -= out.message->body().size();
  }
  void take_fresh(Level& level, Entry& out) {
    out = std::move(level.fresh.front());
    level.fresh.pop_front();
    if (is_movable(out)) surroundings_.movable_bytes -= memory_of(out);
  }
  void take_other(Level& level, Entry& out);
  void read_on(Level& level);
  void store_fresh(Level& level, std::uint8_t priority, QueueId queue, LogPosition boundary);
  void added(const Entry& entry) {
    ++size_;
    bytes_ += entry.message->body().size();
  }
  // Of `fresh`.
  bool is_movable(const Entry& entry) const { return durable_ && entry.message->position() != 0; }
  static std::size_t memory_of(const Entry& entry) { return sizeof(Entry) + entry.message->size(); }

  const bool durable_;
  Surroundings& surroundings_;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;  // in memory
  Level lowest_;
  std::vector<std::unique_ptr<Level>> higher_;  // made when they are first used
  std::array<std::uint64_t, 4> used_{};         // of queues with levels: those that are not empty
};

}  // namespace haypile::engine
