// The consumers of a queue, in the order in which it is their turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <vector>

#include "engine/consumer.hpp"

namespace haypile::engine {

// The consumers of one priority.
struct ConsumerGroup {
  std::list<Consumer*> in_line;
  std::list<Consumer*> waiting;  // for credit
};

// Who has credit stands in line, the others wait aside. Higher priorities (`x-priority`) come
// first; within one the consumers take turns. Nearly always there is one group.
class Line {
 public:
  std::size_t size() const { return size_; }
  // The next one, null if nobody is in line.
  Consumer* front() const {
    if (first_ && !first_->in_line.empty()) return first_->in_line.front();
    for (const auto& [priority, group] : groups_) {
      if (!group.in_line.empty()) return group.in_line.front();
    }
    return nullptr;
  }

  // At the end of the line.
  void add(Consumer& consumer);
  void remove(Consumer& consumer);
  // It had its turn: to the end of the line. Of one that is in line.
  static void rotate(Consumer& consumer) {
    std::list<Consumer*>& line = consumer.group_->in_line;
    line.splice(line.end(), line, consumer.place_);
  }
  // It is the next one of its priority. Of one that is in line.
  static void to_front(Consumer& consumer) {
    std::list<Consumer*>& line = consumer.group_->in_line;
    line.splice(line.begin(), line, consumer.place_);
  }
  // It has no credit. Of one that is in line.
  static void leave(Consumer& consumer) {
    ConsumerGroup& group = *consumer.group_;
    group.waiting.splice(group.waiting.end(), group.in_line, consumer.place_);
    consumer.in_line_ = false;
  }
  // It has credit again: to the end of the line. Of one that has left.
  static void rejoin(Consumer& consumer) {
    ConsumerGroup& group = *consumer.group_;
    group.in_line.splice(group.in_line.end(), group.waiting, consumer.place_);
    consumer.in_line_ = true;
  }

  // `visit(consumer)` for those in line, `count_max` at most; returns how many there were.
  template <class Visit>
  std::size_t each_in_line(std::size_t count_max, Visit visit) const {
    std::size_t count = 0;
    for (const auto& [priority, group] : groups_) {
      for (Consumer* consumer : group.in_line) {
        if (count == count_max) return count;
        ++count;
        visit(*consumer);
      }
    }
    return count;
  }

  // All of them, also those that have left; none is in it afterwards.
  std::vector<Consumer*> take_all();

 private:
  std::size_t size_ = 0;
  // By priority, the highest first; none without consumers.
  std::map<std::int64_t, ConsumerGroup, std::greater<>> groups_;
  ConsumerGroup* first_ = nullptr;  // of groups_
};

}  // namespace haypile::engine
