// The messages that a channel was given and has not settled, by delivery tag.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "engine/message.hpp"
#include "engine/ring.hpp"

namespace haypile::engine {

class Consumer;
class Queue;

struct UnackedMessage {
  QueuedMessage entry;
  Queue* queue = nullptr;
  Consumer* consumer = nullptr;  // null after basic.get
};

struct TaggedMessage : UnackedMessage {
  std::uint64_t delivery_tag = 0;
};

// Maps delivery tags to unacked messages. Tags rise by one from 1, so that a window over the latest
// tags serves as the map: adding and settling in order need no search and no allocation. If a
// window consists mostly of settled tags, its oldest messages (stragglers) move to a real map, so
// that memory stays proportional to the number of unacked messages.
class Unacked {
 public:
  // Adds a message and returns its delivery tag.
  std::uint64_t add(QueuedMessage&& entry, Queue& queue, Consumer* consumer) {
    UnackedMessage& message = window_.extend();
    message.entry = std::move(entry);
    message.queue = &queue;
    message.consumer = consumer;
    ++in_window_;
    return last_tag();
  }
  // The message that was added last. Valid until the next call of another function.
  UnackedMessage& newest() { return window_[window_.size() - 1]; }
  // Uses up a delivery tag, for a message that needs no acknowledgement.
  std::uint64_t skip();

  // Takes out the message with that tag. Returns false if there is none.
  bool take(std::uint64_t delivery_tag, UnackedMessage& out);
  // Takes out the first message if its tag is at most `last`. Returns false if there is none.
  bool take_first(std::uint64_t last, TaggedMessage& out);
  // Splits off all messages up to and including that tag, with their tags. To split off all takes
  // constant time.
  Unacked split(std::uint64_t last);
  // Whether there are any messages up to that tag.
  bool any_until(std::uint64_t last) const;
  // How many messages there are up to that tag. A result above `count_max` means that there are
  // more.
  std::size_t count_until(std::uint64_t last, std::size_t count_max) const;
  // Takes out all messages up to and including that tag, in the order of their tags.
  std::vector<TaggedMessage> take_until(std::uint64_t delivery_tag);
  std::vector<TaggedMessage> take_all() { return take_until(last_tag()); }
  // Puts back a message that was taken out.
  void put_back(TaggedMessage message);

  // Whether that tag was ever used.
  bool was_given(std::uint64_t delivery_tag) const {
    return delivery_tag > 0 && delivery_tag <= last_tag();
  }
  // Whether the message with that tag is unacked.
  bool contains(std::uint64_t delivery_tag) const;
  std::size_t size() const { return in_window_ + stragglers_.size(); }
  std::uint64_t last_tag() const { return first_tag_ + window_.size() - 1; }
  // Throws std::logic_error if the counts do not agree.
  void check_invariants() const;
  // The memory of the first messages, in bytes: stops after `count_max` tags or `bytes_max` bytes.
  std::size_t bytes(std::size_t count_max, std::size_t bytes_max) const;
  // Calls `visit(message)` for all messages.
  template <class Visit>
  void each(Visit visit) {
    each_from(1, [&](UnackedMessage& message) {
      visit(message);
      return true;
    });
  }

  // Begins a walk over all messages in the order of their tags. It may take many steps.
  void begin_walk() { walk_at_ = 1; }
  // Continues the walk until `visit(message)` returns false, and returns the tag of that message,
  // or the tag after the last one. The walk only moves on when go_to() is called.
  template <class Visit>
  std::uint64_t walk_on(Visit visit) {
    return each_from(walk_at_, visit);
  }
  void go_to(std::uint64_t tag) { walk_at_ = tag; }

 private:
  void trim();
  // Returns the tag of the first message for which `visit(message)` is false, or the tag after the
  // last.
  template <class Visit>
  std::uint64_t each_from(std::uint64_t tag, Visit visit) {
    for (auto it = stragglers_.lower_bound(tag); it != stragglers_.end(); ++it) {
      if (!visit(it->second)) return it->first;
    }
    for (tag = std::max(tag, first_tag_); tag <= last_tag(); ++tag) {
      UnackedMessage& message = window_[tag - first_tag_];
      if (message.queue && !visit(message)) return tag;
    }
    return last_tag() + 1;
  }

  Ring<UnackedMessage> window_;  // a settled message has no queue
  std::uint64_t first_tag_ = 1;
  std::size_t in_window_ = 0;
  std::map<std::uint64_t, UnackedMessage> stragglers_;  // all their tags are below first_tag_
  std::uint64_t walk_at_ = 1;  // the first tag that the walk has not reached
};

}  // namespace haypile::engine
