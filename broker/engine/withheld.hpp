// What a queue withholds from clients that cannot be sent it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "engine/message.hpp"

namespace haypile::engine {

// Where a message stands in its queue.
struct Standing {
  std::uint8_t level;
  std::uint64_t place;

  bool is_before(const Standing& other) const {
    return level != other.level ? level > other.level : place < other.place;
  }
};

// Messages of which the properties were too large for somebody who was to have them. Each is for
// those only who can be sent as much as it needs. Nothing here takes time with their number.
class Withheld {
 public:
  explicit Withheld(MemoryUse& memory) : memory_(memory) {}

  bool empty() const { return by_order_.empty(); }
  std::size_t size() const { return by_order_.size(); }
  // Of the bodies.
  std::size_t bytes() const { return bytes_; }
  // Whether there is something for those who can be sent so much. Of one that is not empty.
  bool has_for(std::size_t properties_max) const {
    return by_need_.begin()->first <= properties_max;
  }

  // `is_unsaved`: a move has to store it.
  void add(std::uint8_t level, QueuedMessage&& entry, const MessageTimes& times, std::size_t needed,
           bool is_unsaved);
  // Who can be sent so much gets the first one of all if it is not too large, otherwise the one
  // that needs least. Nothing if that is too large, too.
  std::optional<Standing> next_for(std::size_t properties_max) const;
  // Of one that is there.
  void take(const Standing& standing, QueuedMessage& out);

  // Higher levels first: `visit(standing, times)` of the first one of each.
  template <class Visit>
  void each_level(Visit visit) const {
    for (auto it = by_order_.begin(); it != by_order_.end();) {
      visit(it->first, it->second.times);
      it = by_order_.upper_bound({it->first.level, std::numeric_limits<std::uint64_t>::max()});
    }
  }
  template <class Visit>
  void each(Visit visit) const {
    for (const auto& [key, message] : by_order_)
      visit(message.entry);
  }

  // The oldest one that a move has to store, null if none is before the boundary; and it has.
  QueuedMessage* first_unsaved(LogPosition boundary);
  void saved_first() { unsaved_.erase(unsaved_.begin()); }
  bool has_unsaved() const { return !unsaved_.empty(); }

 private:
  struct Before {
    bool operator()(const Standing& a, const Standing& b) const { return a.is_before(b); }
    template <class T>
    bool operator()(const std::pair<T, Standing>& a, const std::pair<T, Standing>& b) const {
      return a.first != b.first ? a.first < b.first : a.second.is_before(b.second);
    }
  };
  struct Message {
    QueuedMessage entry;
    MessageTimes times;
    std::size_t needed;
    MemoryShare share;  // of what stands around it here
  };

  MemoryUse& memory_;
  std::size_t bytes_ = 0;
  std::map<Standing, Message, Before> by_order_;
  std::set<std::pair<std::size_t, Standing>, Before> by_need_;
  std::set<std::pair<LogPosition, Standing>, Before> unsaved_;
};

}  // namespace haypile::engine
