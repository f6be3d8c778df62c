// The messages of a queue that wait for a consumer, in the order in which they are given out.
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

// Holds the ready messages of one queue. Higher priorities come first, and messages of the same
// priority come in the order of their places. Each priority is a level; a queue without priorities
// has only one.
//
// A level has its messages in up to five parts. `fresh` messages have never left the queue and come
// after all others. `unsaved` and `returned` ones came back from a client; the unsaved ones are
// only in the log, so that a move has to store them. `returned` also takes others that are out of
// order. The `backlog` has messages that a move has stored and removed from memory. `read` are
// those that were read ahead from the backlog, a few at a time. The next message of a level is the
// one with the lowest place in all parts.
//
// A message that has left memory (an absent one) is read back when it is the next one, and not
// earlier. If nobody takes messages from a queue, only the queued messages that came back after
// they had been stored stay in memory, and these without their contents.
//
// A message that its client could not be sent is withheld: it is ready, but only for some clients
// (Withheld).
//
// Belongs to the engine's thread.
class ReadyMessages : public MoveListItem {
 public:
  // A message of a higher priority counts as `priority_max`. The context must outlive the object.
  ReadyMessages(QueueId queue, std::uint8_t priority_max, bool durable, QueueContext& context)
      : queue_(queue), durable_(durable), context_(context), higher_(priority_max) {}
  ~ReadyMessages() { clear(); }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return size_ + (withheld_ ? withheld_->size() : 0); }
  // Whether a message is ready that any client may get.
  bool has_for_all() const { return size_ != 0; }
  bool has_withheld() const { return withheld_ != nullptr; }
  // Whether a withheld message is ready for a client that can be sent that many bytes of
  // properties.
  bool has_withheld_for(std::size_t properties_max) const {
    return withheld_ && withheld_->has_for(properties_max);
  }
  // The size of the bodies of all ready messages, in memory or not.
  std::size_t bytes() const;

  // Adds a message at the end of its level. Its place must be above those of all messages pushed
  // before.
  void push(QueuedMessage&& entry) {
    added(entry);
    if (is_loggable(entry)) {
      add_movable(entry);
      if (!is_listed()) context_.moves.later.add(*this);
    }
    (has_levels() ? level_for(entry) : lowest_).fresh.push_back(std::move(entry));
  }
  // Takes back a popped message, at its own place.
  void put_back(QueuedMessage&& entry) {
    if (HAYPILE_CANARY(requeue_to_tail)) return push(std::move(entry));
    leave_memory(entry);
    added(entry);
    keep_returned(has_levels() ? level_for(entry) : lowest_, std::move(entry));
  }
  // Adds a backlog that recovery found. Call this before anything is pushed.
  void add_backlog(std::uint8_t priority, Backlog& backlog);

  // Takes the next message for a client that can be sent `properties_max` bytes of properties, with
  // its contents in memory. Returns false if there is none, or if it cannot be read; then that
  // message is lost and the journal has failed.
  bool pop(std::size_t properties_max, QueuedMessage& out) {
    return take(properties_max, out) && read_back(out);
  }
  // Takes back a popped message. Only clients that can be sent `needed` bytes of properties may get
  // it.
  void withhold(QueuedMessage&& entry, std::size_t needed);
  // Takes the next message for any client. It may be absent.
  bool take(QueuedMessage& out) { return take(std::numeric_limits<std::size_t>::max(), out); }
  bool take(std::size_t properties_max, QueuedMessage& out) {
    if (withheld_ && take_withheld_if_next(properties_max, out)) return true;
    if (size_ == 0) return false;
    return has_levels() ? take(top_priority(), out) : take_front(lowest_, out);
  }
  // Reads the message into memory if it is absent. Returns false if it cannot be read.
  bool read_back(QueuedMessage& entry) const {
    return !entry.message->is_absent() || read_absent(entry);
  }
  // Makes the message absent if it is on disk. A client has the message, or had it.
  void leave_memory(QueuedMessage& entry) const {
    if (entry.stored != 0 && !entry.message->is_absent()) make_absent(entry);
  }

  // Takes the first message of each level, again and again as long as `wanted(times)` is true for
  // it, and calls `visit(entry)` with each message.
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
  // Calls `visit(times)` for the first message of each level, and for the first withheld one of
  // each.
  template <class Visit>
  void each_front(Visit visit) {
    if (withheld_) {
      withheld_->each_level([&](const Standing&, const MessageTimes& times) { visit(times); });
    }
    for_each_used([&](unsigned priority) {
      if (const auto times = front_times(priority)) visit(*times);
    });
  }
  // Calls `visit(entry)` for all queued messages in memory, including absent ones that came back.
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
  // Drops all messages that only the backlogs have, and tells the backlogs so (queue.purge).
  void drop_backlogs();
  // The queue has been deleted: messages that only the backlogs have go with it, and the backlogs
  // end.
  void forget_backlogs();
  // Does not use the backlogs, which may be gone if the queue has been deleted.
  void clear();

  // The level of a message, by its priority.
  std::uint8_t level_of(const QueuedMessage& entry) const {
    if (entry.message->is_absent()) return entry.absent_level;
    return static_cast<std::uint8_t>(
        std::min<std::size_t>(entry.message->priority(), higher_.size()));
  }
  std::uint8_t priority_max() const { return static_cast<std::uint8_t>(higher_.size()); }

  // In a move: stores messages with positions before `boundary` and removes them from memory, at
  // most `copies_left`, which is lowered. Returns true if no such message is left. Nothing may be
  // popped before moved_out(), which the caller calls after Journal::end_portion().
  bool move_out(LogPosition boundary, std::size_t& copies_left);
  void moved_out();
  // Whether something is in memory that a later move might store.
  bool has_movable() const;
  // Stores a popped message, which then is absent.
  void store_popped(QueuedMessage& entry) const {
    store(entry, level_of(entry), true);
    leave_memory(entry);
  }

  // Names an invariant that does not hold between two calls; null if all hold.
  const char* broken_invariant() const;

 private:
  // Messages that were read from the backlog together and are taken one at a time. Their places
  // rise.
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
    // All places here are below those in `fresh`. They may be above or below those in `read`.
    PlaceHeap unsaved;   // came back, and a move has to store it
    PlaceHeap returned;  // all others that are out of order
    ReadAhead read;
    Backlog* backlog = nullptr;
    std::uint64_t unread_place = Backlog::no_place;  // Backlog::next_place()
    std::optional<MessageTimes> unread_times{};      // of the next unread message, once peeked at
    std::size_t read_bytes = read_bytes_min;         // how much is read next time
    LazyDeque<QueuedMessage> fresh;                  // comes after all others
    bool is_plain() const {
      return returned.empty() && unsaved.empty() && read.empty() &&
             unread_place == Backlog::no_place;
    }
    bool empty() const { return is_plain() && fresh.empty(); }
    static std::uint64_t first_place(const auto& entries) {
      return entries.empty() ? Backlog::no_place : entries.front().place;
    }
    // The heap of the two that has the lower first place.
    PlaceHeap& first_returned() {
      return first_place(unsaved) < first_place(returned) ? unsaved : returned;
    }
    // Whether a message that came back has a lower place than all that were read ahead.
    bool returned_is_first() {
      if (HAYPILE_CANARY(read_ahead_first)) return read.empty();
      return first_place(first_returned()) < first_place(read);
    }
    bool is_read_first() const {
      return returned.empty() && unsaved.empty() && first_place(read) < unread_place;
    }
    // The lowest place in the level, which must not be empty.
    std::uint64_t next_place() {
      return std::min(
          {first_place(first_returned()), first_place(read), unread_place, first_place(fresh)});
    }
    // Whether a message that is only in the backlog may come before all that came back or were
    // read.
    bool unread_is_first() {
      return unread_place < first_place(first_returned()) && unread_place < first_place(read);
    }
  };
  // The first read is small: in most of many queues, perhaps only the first message is taken.
  static constexpr std::size_t read_bytes_min = 2u << 10;
  static constexpr std::size_t read_bytes_max = 64u << 10;

  bool has_levels() const { return !higher_.empty(); }
  Level& level(unsigned priority) { return priority == 0 ? lowest_ : *higher_[priority - 1]; }
  const Level& level(unsigned priority) const {
    return priority == 0 ? lowest_ : *higher_[priority - 1];
  }
  // The highest level that is not empty; 0 if the queue has no levels.
  unsigned top_priority() const;
  // The level of a message in a queue with levels.
  Level& level_for(const QueuedMessage& entry) { return use_level(level_of(entry)); }
  Level& use_level(std::uint8_t priority);
  // Call this when a level may have become empty.
  void note_if_empty(unsigned priority) {
    if (has_levels() && level(priority).empty())
      used_[priority / 64] &= ~(std::uint64_t{1} << (priority % 64));
  }
  // Calls `visit(priority)` for each level that is not empty, the highest first. `visit` may empty
  // that level.
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
  // Takes the withheld message that a client with that limit may get, if it comes before all
  // messages that any client may get.
  bool take_withheld_if_next(std::size_t properties_max, QueuedMessage& out);
  // Takes the first message of the highest level whose first withheld message is wanted.
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
  // Reads from the backlog until the next message of the level is in memory.
  void read_on(Level& level);
  void read(Level& level);
  QueuedMessage entry_of(const StoredMessage& stored) const;
  void make_absent(QueuedMessage& entry) const;
  bool read_absent(QueuedMessage& entry) const;
  void peek(Level& level);
  std::optional<MessageTimes> front_times(unsigned priority);
  const QueuedMessage* front(Level& level);
  // Call this after any call that may have changed the backlog. `unread_before` is how many unread
  // messages it had, less those that it has handed over since. If it has fewer now, the others
  // could not be read and are lost.
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
  // Movable bytes are the memory that a move could free: of loggable messages that are fresh,
  // unsaved, or withheld and unsaved. A message counts once, however many queues have it.
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
  std::size_t size_ = 0;   // without withheld messages
  std::size_t bytes_ = 0;  // of bodies, without backlogs and withheld messages
  Level lowest_;
  std::vector<std::unique_ptr<Level>> higher_;  // made at their first use
  std::array<std::uint64_t, 4> used_{};         // one bit for each level that is not empty
  std::unique_ptr<Withheld> withheld_;          // null or not empty
};

}  // namespace haypile::engine
