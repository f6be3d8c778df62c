// The messages of a queue that wait for a consumer, in the order in which they are to go.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/canary.hpp"
#include "engine/lazy_deque.hpp"
#include "engine/message.hpp"
#include "engine/moves.hpp"
#include "engine/place_heap.hpp"
#include "engine/queue_context.hpp"
#include "engine/withheld.hpp"

namespace haypile::engine {

// Higher priorities first, and within one in the order of the places. A queue without priorities
// has one level and pays for no more; which levels hold anything is kept in a bitmap, so that empty
// ones are never looked at. What has left memory is read back when it is next, and no sooner: of a
// queue that nobody takes from nothing is in memory but the places of what came back after it had
// been stored.
//
// What somebody was to have and could not be sent is withheld: it is ready, but not for all.
class ReadyMessages : public MoveListItem {
 public:
  // Messages of a higher priority count as `priority_max`. The context outlives it.
  ReadyMessages(QueueId queue, std::uint8_t priority_max, bool durable, QueueContext& context)
      : queue_(queue), durable_(durable), context_(context), higher_(priority_max) {}
  ~ReadyMessages() { clear(); }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return size_ + (withheld_ ? withheld_->size() : 0); }
  // Whether there is something for all, whatever they can be sent.
  bool has_for_all() const { return size_ != 0; }
  bool has_withheld() const { return withheld_ != nullptr; }
  // Whether there is something that not all can be sent, but who can be sent so much.
  bool has_withheld_for(std::size_t properties_max) const {
    return withheld_ && withheld_->has_for(properties_max);
  }
  // Of the bodies, in memory or not.
  std::size_t bytes() const;

  // At the end of its level; its place is above all that were pushed before.
  void push(QueuedMessage&& entry) {
    added(entry);
    if (is_loggable(entry)) {
      add_movable(entry);
      if (!is_listed()) context_.moves.later.add(*this);
    }
    (has_levels() ? level_for(entry) : lowest_).fresh.push_back(std::move(entry));
  }
  // One that was popped, back to its place.
  void put_back(QueuedMessage&& entry) {
    if (HAYPILE_CANARY(requeue_to_tail)) return push(std::move(entry));
    leave_memory(entry);
    added(entry);
    keep_returned(has_levels() ? level_for(entry) : lowest_, std::move(entry));
  }
  // What recovery found on disk, before anything is pushed.
  void add_backlog(std::uint8_t priority, Backlog& backlog);

  // The head, for somebody who can be sent so much. False if there is none, or what is next cannot
  // be read: then that is lost, and the journal is at its end.
  bool pop(std::size_t properties_max, QueuedMessage& out) {
    return take(properties_max, out) && read_back(out);
  }
  // One that was popped is for those only who can be sent as much as it needs.
  void withhold(QueuedMessage&& entry, std::size_t needed);
  // The head, but the message may have left memory.
  bool take(QueuedMessage& out) { return take(std::numeric_limits<std::size_t>::max(), out); }
  bool take(std::size_t properties_max, QueuedMessage& out) {
    if (withheld_ && take_withheld_if_next(properties_max, out)) return true;
    if (size_ == 0) return false;
    return has_levels() ? take(top_priority(), out) : take_front(lowest_, out);
  }
  // Puts the message into memory again. False if it cannot be read.
  bool read_back(QueuedMessage& entry) const {
    return !entry.message->is_absent() || read_absent(entry);
  }
  // Somebody has it in hand, or had it: if it is on disk, it need not be in memory.
  void leave_memory(QueuedMessage& entry) const {
    if (entry.stored != 0 && !entry.message->is_absent()) make_absent(entry);
  }

  // Takes the heads of each level for as long as `wanted(times)`: `visit(entry)`.
  template <class Wanted, class Visit>
  void take_while(Wanted wanted, Visit visit) {
    QueuedMessage withheld;
    while (take_withheld_if(wanted, withheld))
      visit(withheld);
    for_each_used([&](unsigned priority) {
      while (const auto times = front_times(priority)) {
        QueuedMessage entry;
        if (!wanted(*times) || !take(priority, entry)) break;
        visit(entry);
      }
    });
  }
  // The times of the head of each level.
  template <class Visit>
  void each_front(Visit visit) {
    if (withheld_) {
      withheld_->each_level([&](const Standing&, const MessageTimes& times) { visit(times); });
    }
    for_each_used([&](unsigned priority) {
      if (const auto times = front_times(priority)) visit(*times);
    });
  }
  // All that are in memory, if only by their places.
  template <class Visit>
  void each_in_memory(Visit visit) const {
    if (withheld_) withheld_->each(visit);
    for_each_used([&](unsigned priority) {
      for (const PlaceHeap* heap : {&level(priority).unsaved, &level(priority).returned}) {
        for (const QueuedMessage& entry : *heap)
          visit(entry);
      }
      for (const QueuedMessage& entry : level(priority).read)
        visit(entry);
      for (const QueuedMessage& entry : level(priority).fresh)
        visit(entry);
    });
  }
  // Backlogs, too: what they have not read is no longer in the queue (purged).
  void drop_backlogs();
  // What of the backlogs is not in memory has gone with the queue, and they themselves have too.
  void forget_backlogs();
  // Backlogs are left alone; after the queue is deleted they may be gone already.
  void clear();

  // The level that it goes to, by the message's priority.
  std::uint8_t level_of(const QueuedMessage& entry) const {
    if (entry.message->is_absent()) return entry.absent_level;
    return static_cast<std::uint8_t>(
        std::min<std::size_t>(entry.message->priority(), higher_.size()));
  }
  std::uint8_t priority_max() const { return static_cast<std::uint8_t>(higher_.size()); }

  // In a move: stores messages before `boundary`, no more than `copies_left`, which is lowered;
  // they leave memory. True if there are no more of them. Nothing may be popped before moved_out(),
  // which comes when the journal's portion has ended.
  bool move_out(LogPosition boundary, std::size_t& copies_left);
  void moved_out();
  // There is something in memory that a later move might store.
  bool has_movable() const;
  // Stores one that was popped.
  void store_popped(QueuedMessage& entry) const {
    store(entry, level_of(entry), true);
    leave_memory(entry);
  }

  // What has to hold between two calls, and does not; null if all is well.
  const char* broken_invariant() const;

 private:
  // Read back from the backlog, in one go; taken one by one.
  class ReadAhead {
   public:
    bool empty() const { return next_ == entries_.size(); }
    const QueuedMessage& front() const { return entries_[next_]; }
    bool is_behind(const QueuedMessage& entry) const {
      return empty() || entries_.back().place < entry.place;
    }
    void add(QueuedMessage&& entry) { entries_.push_back(std::move(entry)); }
    void pop(QueuedMessage& out) {
      out = std::move(entries_[next_++]);
      if (empty()) clear();
    }
    void clear() {
      entries_.clear();
      next_ = 0;
    }
    std::vector<QueuedMessage>::const_iterator begin() const {
      return entries_.begin() + static_cast<std::ptrdiff_t>(next_);
    }
    std::vector<QueuedMessage>::const_iterator end() const { return entries_.end(); }

   private:
    std::vector<QueuedMessage> entries_;
    std::size_t next_ = 0;
  };
  struct Level {
    // All places below those of `fresh`, but not of `read`.
    PlaceHeap unsaved;   // came back, and a move has to store it
    PlaceHeap returned;  // the others that came back
    ReadAhead read;
    Backlog* backlog = nullptr;
    std::uint64_t unread_place = Backlog::no_place;  // Backlog::next_place()
    std::optional<MessageTimes> unread_times{};      // of the next one there, once it was looked at
    std::size_t read_bytes = read_bytes_min;         // how much is read next
    LazyDeque<QueuedMessage> fresh;                  // behind all others
    bool is_plain() const {
      return returned.empty() && unsaved.empty() && read.empty() &&
             unread_place == Backlog::no_place;
    }
    bool empty() const { return is_plain() && fresh.empty(); }
    static std::uint64_t first_place(const auto& entries) {
      return entries.empty() ? Backlog::no_place : entries.front().place;
    }
    // Of what came back, the part that has the lowest place.
    PlaceHeap& first_returned() {
      return first_place(unsaved) < first_place(returned) ? unsaved : returned;
    }
    // Whether something that came back is before all that was read.
    bool returned_is_first() {
      if (HAYPILE_CANARY(read_ahead_first)) return read.empty();
      return first_place(first_returned()) < first_place(read);
    }
    bool is_read_first() const {
      return returned.empty() && unsaved.empty() && first_place(read) < unread_place;
    }
    // The lowest place of all; the level is not empty.
    std::uint64_t next_place() {
      return std::min(
          {first_place(first_returned()), first_place(read), unread_place, first_place(fresh)});
    }
    // Whether something that is on disk only may come before all that is in memory.
    bool unread_is_first() {
      return unread_place < first_place(first_returned()) && unread_place < first_place(read);
    }
  };
  // A few first: of many queues most may have no more than the first taken from them.
  static constexpr std::size_t read_bytes_min = 2u << 10;
  static constexpr std::size_t read_bytes_max = 64u << 10;

  bool has_levels() const { return !higher_.empty(); }
  Level& level(unsigned priority) { return priority == 0 ? lowest_ : *higher_[priority - 1]; }
  const Level& level(unsigned priority) const {
    return priority == 0 ? lowest_ : *higher_[priority - 1];
  }
  // The highest that is not empty; 0 without levels.
  unsigned top_priority() const;
  // Of a queue with levels.
  Level& level_for(const QueuedMessage& entry) { return use_level(level_of(entry)); }
  Level& use_level(std::uint8_t priority);
  // To be called when a level may have become empty.
  void note_if_empty(unsigned priority) {
    if (has_levels() && level(priority).empty())
      used_[priority / 64] &= ~(std::uint64_t{1} << (priority % 64));
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
  bool take(unsigned priority, QueuedMessage& out) {
    const bool is_there = take_front(level(priority), out);
    note_if_empty(priority);
    return is_there;
  }
  bool take_front(Level& level, QueuedMessage& out) {
    if (level.is_plain()) {
      take_fresh(level, out);
    } else if (level.is_read_first()) {
      level.read.pop(out);
    } else if (!take_other(level, out)) {
      return false;
    }
    --size_;
    bytes_ -= out.body_size();
    return true;
  }
  void take_fresh(Level& level, QueuedMessage& out) {
    out = std::move(level.fresh.front());
    level.fresh.pop_front();
    if (is_loggable(out)) remove_movable(out);
  }
  bool take_other(Level& level, QueuedMessage& out);
  // What somebody can have of it, if it comes before all that is for all.
  bool take_withheld_if_next(std::size_t properties_max, QueuedMessage& out);
  // The first one of a level, if it is wanted.
  template <class Wanted>
  bool take_withheld_if(Wanted wanted, QueuedMessage& out) {
    if (!withheld_) return false;
    std::optional<Standing> found;
    withheld_->each_level([&](const Standing& standing, const MessageTimes& times) {
      if (!found && wanted(times)) found = standing;
    });
    if (found) take_withheld(*found, out);
    return found.has_value();
  }
  void take_withheld(const Standing& standing, QueuedMessage& out);
  bool is_unsaved(const QueuedMessage& entry) const {
    return is_loggable(entry) && entry.stored == 0;
  }
  void keep_returned(Level& level, QueuedMessage&& entry);
  // Reads back until what is next is in memory.
  void read_on(Level& level);
  void read(Level& level);
  QueuedMessage entry_of(const StoredMessage& stored) const;
  void make_absent(QueuedMessage& entry) const;
  bool read_absent(QueuedMessage& entry) const;
  void peek(Level& level);
  std::optional<MessageTimes> front_times(unsigned priority);
  const QueuedMessage* front(Level& level);
  // To be called after what may have changed the backlog; `unread_before`: how many it had, without
  // those that it has handed over. What is missing could not be read.
  void backlog_changed(Level& level, std::size_t unread_before);
  bool may_go_on(std::size_t& copies_left) const;
  bool move_out(Level& level, std::uint8_t priority, LogPosition boundary,
                std::size_t& copies_left);
  bool move_withheld(LogPosition boundary, std::size_t& copies_left);
  void move_out(Level& level, std::uint8_t priority, QueuedMessage& entry);
  void store(QueuedMessage& entry, std::uint8_t priority, bool stays_in_memory) const;
  const char* broken_invariant(const Level& level) const;
  void added(const QueuedMessage& entry) {
    ++size_;
    bytes_ += entry.body_size();
  }
  bool is_loggable(const QueuedMessage& entry) const { return durable_ && entry.is_logged(); }
  // What could leave memory counts as movable: of what is fresh, and all that is unsaved. A message
  // counts once, however many queues have it.
  void add_movable(const QueuedMessage& entry) {
    context_.movable_bytes += sizeof(QueuedMessage);
    if (entry.message->add_movable()) context_.movable_bytes += entry.message->size();
  }
  void remove_movable(const QueuedMessage& entry) {
    context_.movable_bytes -= sizeof(QueuedMessage);
    if (entry.message->remove_movable()) context_.movable_bytes -= entry.message->size();
  }

  const QueueId queue_;
  const bool durable_;
  QueueContext& context_;
  std::size_t size_ = 0;   // without what is withheld
  std::size_t bytes_ = 0;  // of the bodies that are not in a backlog, nor withheld
  Level lowest_;
  std::vector<std::unique_ptr<Level>> higher_;  // made when they are first used
  std::array<std::uint64_t, 4> used_{};         // of queues with levels: those that are not empty
  std::unique_ptr<Withheld> withheld_;          // never empty
};

}  // namespace haypile::engine
