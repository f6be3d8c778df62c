// Messages that came back to their queue, in the order of their places.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "engine/lazy_deque.hpp"
#include "engine/message.hpp"

namespace haypile::engine {

// A heap of queued messages with the lowest place first. An entry takes only its own bytes, and
// messages that come back in order take no search. The heap is in small blocks, so that millions of
// messages can come back without being copied.
class PlaceHeap {
 public:
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // The message with the lowest place. It may be changed, except for its place.
  QueuedMessage& front() { return entries_.front(); }
  const QueuedMessage& front() const { return entries_.front(); }
  void push(QueuedMessage&& entry) {
    entries_.push_back(std::move(entry));
    std::ranges::push_heap(entries_, is_behind);
  }
  void pop(QueuedMessage& out) {
    std::ranges::pop_heap(entries_, is_behind);
    out = std::move(entries_.back());
    entries_.pop_back();
  }
  void clear() { entries_.clear(); }
  // The messages in no particular order.
  LazyDeque<QueuedMessage>::const_iterator begin() const { return entries_.begin(); }
  LazyDeque<QueuedMessage>::const_iterator end() const { return entries_.end(); }
  bool is_in_order() const { return std::ranges::is_heap(entries_, is_behind); }

 private:
  static bool is_behind(const QueuedMessage& a, const QueuedMessage& b) {
    return a.place > b.place;
  }

  LazyDeque<QueuedMessage> entries_;
};

}  // namespace haypile::engine
