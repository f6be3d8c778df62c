// Messages that a queue withholds from clients which cannot be sent them.
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

// Where a message is in its queue: its level and its place.
struct Standing {
  std::uint8_t level;
  std::uint64_t place;

  bool is_before(const Standing& other) const {
    return level != other.level ? level > other.level : place < other.place;
  }
};

// Holds ready messages that some client should have got, but could not be sent because their
// properties were too large. Only clients that can be sent what a message needs may get it. All
// calls take logarithmic time at most, except for the visits.
class Withheld {
 public:
  explicit Withheld(MemoryUse& memory) : memory_(memory) {}

  bool empty() const { return by_order_.empty(); }
  std::size_t size() const { return by_order_.size(); }
  // The size of their bodies.
  std::size_t bytes() const { return bytes_; }
  // Whether there is a message for clients that can be sent that much. Not to be called when empty.
  bool has_for(std::size_t properties_max) const {
    return by_need_.begin()->first <= properties_max;
  }

  // `needed` is how many bytes of properties a client must be able to get. `is_unsaved`: a move has
  // to store the message.
  void add(std::uint8_t level, QueuedMessage&& entry, const MessageTimes& times, std::size_t needed,
           bool is_unsaved);
  // The message that a client with that limit gets next: the first one if it is small enough,
  // otherwise the one that needs least. Nothing if that one is too large, too.
  std::optional<Standing> next_for(std::size_t properties_max) const;
  // Takes a message, which must be there.
  void take(const Standing& standing, QueuedMessage& out);

  // Calls `visit(standing, times)` for the first message of each level, higher levels first.
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

  // The message with the lowest position that a move has to store; null if none is before the
  // boundary. When it has been stored, call saved_first().
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
    MemoryShare share;  // the memory of its nodes here
  };

  MemoryUse& memory_;
  std::size_t bytes_ = 0;
  std::map<Standing, Message, Before> by_order_;
  std::set<std::pair<std::size_t, Standing>, Before> by_need_;
  std::set<std::pair<LogPosition, Standing>, Before> unsaved_;
};

}  // namespace haypile::engine
