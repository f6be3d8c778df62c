// Messages that came back to their queue, in the order of their places.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "engine/lazy_deque.hpp"
#include "engine/message.hpp"

namespace haypile::engine {

// A heap: an entry takes no more than its own bytes, and what comes back in order costs no search.
// It is in small blocks, so that millions can come back without any of them being copied.
class PlaceHeap {
 public:
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // The one with the lowest place. It may be changed, but for its place.
  Entry& front() { return entries_.front(); }
  const Entry& front() const { return entries_.front(); }
  void push(Entry&& entry) {
    entries_.push_back(std::move(entry));
    std::ranges::push_heap(entries_, is_behind);
  }
  void pop(Entry& out) {
    std::ranges::pop_heap(entries_, is_behind);
    out = std::move(entries_.back());
    entries_.pop_back();
  }
  void clear() { entries_.clear(); }
  // In no order.
  LazyDeque<Entry>::const_iterator begin() const { return entries_.begin(); }
  LazyDeque<Entry>::const_iterator end() const { return entries_.end(); }
  bool is_in_order() const { return std::ranges::is_heap(entries_, is_behind); }

 private:
  static bool is_behind(const Entry& a, const Entry& b) { return a.place > b.place; }

  LazyDeque<Entry> entries_;
};

}  // namespace haypile::engine
