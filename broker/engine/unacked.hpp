// What a channel was given and has not settled, by delivery tag.
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
  Consumer* consumer = nullptr;  // none after basic.get
};

struct TaggedMessage : UnackedMessage {
  std::uint64_t delivery_tag = 0;
};

// Tags rise by one from 1, so that a window over them serves as the map: adding and settling in
// order cost no search and no allocation. Stragglers that would keep a mostly settled window long
// move to a map; memory stays proportional to what is unacked.
class Unacked {
 public:
  // Returns the message's delivery tag.
  std::uint64_t add(QueuedMessage&& entry, Queue& queue, Consumer* consumer) {
    UnackedMessage& message = window_.extend();
    message.entry = std::move(entry);
    message.queue = &queue;
    message.consumer = consumer;
    ++in_window_;
    return last_tag();
  }
  // What was added last, until something else is done to it.
  UnackedMessage& newest() { return window_[window_.size() - 1]; }
  // Uses up a delivery tag for a message that needs no acknowledgement.
  std::uint64_t skip();

  // Takes out the message with that tag; false if there is none.
  bool take(std::uint64_t delivery_tag, UnackedMessage& out);
  // Takes out the first one, if its tag is not above that; false if there is none.
  bool take_first(std::uint64_t last, TaggedMessage& out);
  // Splits off all up to and including that tag; they keep their tags. All of them at once cost
  // nothing.
  Unacked split(std::uint64_t last);
  // Whether there are any up to that tag.
  bool any_until(std::uint64_t last) const;
  // How many there are up to that tag; a number above `count_max` says that there are more.
  std::size_t count_until(std::uint64_t last, std::size_t count_max) const;
  // Takes out all up to and including that tag, in the order of their tags.
  std::vector<TaggedMessage> take_until(std::uint64_t delivery_tag);
  std::vector<TaggedMessage> take_all() { return take_until(last_tag()); }
  // One that was taken is unacked again.
  void put_back(TaggedMessage message);

  // Whether that tag was ever given out.
  bool was_given(std::uint64_t delivery_tag) const {
    return delivery_tag > 0 && delivery_tag <= last_tag();
  }
  // Whether it has not been settled.
  bool contains(std::uint64_t delivery_tag) const;
  std::size_t size() const { return in_window_ + stragglers_.size(); }
  std::uint64_t last_tag() const { return first_tag_ + window_.size() - 1; }
  // Throws std::logic_error if its books do not agree.
  void check_invariants() const;
  // What the first of them take in memory, as far as so many, or so many bytes.
  std::size_t bytes(std::size_t count_max, std::size_t bytes_max) const;
  // All that are unacked.
  template <class Visit>
  void each(Visit visit) {
    each_from(1, [&](UnackedMessage& message) {
      visit(message);
      return true;
    });
  }

  // A walk over all of them in the order of their tags, in as many steps as it takes.
  void begin_walk() { walk_at_ = 1; }
  // Goes on until `visit(message)` returns false, which is then the first one to be visited again.
  // Returns where it has come to; the walk stays where it was until go_to().
  template <class Visit>
  std::uint64_t walk_on(Visit visit) {
    return each_from(walk_at_, visit);
  }
  void go_to(std::uint64_t tag) { walk_at_ = tag; }

 private:
  void trim();
  // Until `visit(message)` returns false; returns the tag of that one, or the next tag of all.
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

  Ring<UnackedMessage> window_;  // a settled one has no queue
  std::uint64_t first_tag_ = 1;
  std::size_t in_window_ = 0;
  std::map<std::uint64_t, UnackedMessage> stragglers_;  // all tags below first_tag_
  std::uint64_t walk_at_ = 1;                           // the first tag it has not come to
};

}  // namespace haypile::engine
