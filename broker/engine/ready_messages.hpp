// The messages of a queue that wait for a consumer, in the order in which they are to go.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "engine/message.hpp"

namespace haypile::engine {

// Higher priorities first, and within one in the order of the places. A queue without priorities
// has one level and pays for no more; which levels hold anything is kept in a bitmap, so that empty
// ones are never looked at.
class ReadyMessages {
 public:
  // Messages of a higher priority count as `priority_max`.
  explicit ReadyMessages(std::uint8_t priority_max) : higher_(priority_max) {}

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // Of the bodies.
  std::size_t bytes() const { return bytes_; }

  // At the end of its level; its place is above all that were pushed before.
  void push(Entry&& entry) {
    added(entry);
    (has_levels() ? level_for(entry) : lowest_).fresh.push_back(std::move(entry));
  }
  // One that was popped, back to its place.
  void put_back(Entry&& entry) {
    added(entry);
    const std::uint64_t place = entry.place;
    (has_levels() ? level_for(entry) : lowest_).returned.emplace(place, std::move(entry));
  }

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
  template <class Visit>
  void each(Visit visit) const {
    for_each_used([&](unsigned priority) {
      for (const auto& [place, entry] : level(priority).returned)
        visit(entry);
      for (const Entry& entry : level(priority).fresh)
        visit(entry);
    });
  }
  void clear();

 private:
  struct Level {
    std::map<std::uint64_t, Entry> returned;  // all places below those of `fresh`
    std::deque<Entry> fresh;
    bool empty() const { return returned.empty() && fresh.empty(); }
    const Entry& front() const {
      return returned.empty() ? fresh.front() : returned.begin()->second;
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
  Level& level_for(const Entry& entry);
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
    if (level.returned.empty()) {
      out = std::move(level.fresh.front());
      level.fresh.pop_front();
    } else {
      out = std::move(level.returned.begin()->second);
      level.returned.erase(level.returned.begin());
    }
    --size_;
    bytes_ -= out.message->body().size();
  }
  void added(const Entry& entry) {
    ++size_;
    bytes_ += entry.message->body().size();
  }

  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  Level lowest_;
  std::vector<std::unique_ptr<Level>> higher_;  // made when they are first used
  std::array<std::uint64_t, 4> used_{};         // of queues with levels: those that are not empty
};

}  // namespace haypile::engine
