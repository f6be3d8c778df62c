// The consumers of a queue, in the order of their turns.
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
struct PriorityGroup {
  std::list<Consumer*> taking_turns;
  std::list<Consumer*> set_aside;  // they have no credit
};

// Decides which consumer gets the next message of its queue. Consumers with credit take turns, the
// others are set aside. Higher priorities (`x-priority`) come first. Nearly always there is one
// group.
class ConsumerRotation {
 public:
  std::size_t size() const { return size_; }
  // The consumer whose turn it is; null if no consumer takes turns.
  Consumer* next() const {
    if (first_ && !first_->taking_turns.empty()) return first_->taking_turns.front();
    for (const auto& [priority, group] : groups_) {
      if (!group.taking_turns.empty()) return group.taking_turns.front();
    }
    return nullptr;
  }

  // Adds a consumer. Its turn comes after those of all others of its priority.
  void add(Consumer& consumer);
  void remove(Consumer& consumer);
  // Ends the turn of a consumer that takes turns.
  static void rotate(Consumer& consumer) {
    std::list<Consumer*>& line = consumer.turn().group->taking_turns;
    line.splice(line.end(), line, consumer.turn().place);
  }
  // Makes a consumer that takes turns the next one of its priority.
  static void to_front(Consumer& consumer) {
    std::list<Consumer*>& line = consumer.turn().group->taking_turns;
    line.splice(line.begin(), line, consumer.turn().place);
  }
  // A consumer that takes turns has no credit any more.
  static void set_aside(Consumer& consumer) {
    PriorityGroup& group = *consumer.turn().group;
    group.set_aside.splice(group.set_aside.end(), group.taking_turns, consumer.turn().place);
    consumer.turn().is_taken = false;
  }
  // A consumer that was set aside has credit again. Its turn is the last one.
  static void bring_back(Consumer& consumer) {
    PriorityGroup& group = *consumer.turn().group;
    group.taking_turns.splice(group.taking_turns.end(), group.set_aside, consumer.turn().place);
    consumer.turn().is_taken = true;
  }

  // Calls `visit(consumer)` for up to `count_max` consumers that take turns; returns how many these
  // were.
  template <class Visit>
  std::size_t each_in_turn(std::size_t count_max, Visit visit) const {
    std::size_t count = 0;
    for (const auto& [priority, group] : groups_) {
      for (Consumer* consumer : group.taking_turns) {
        if (count == count_max) return count;
        ++count;
        visit(*consumer);
      }
    }
    return count;
  }

  // Removes all consumers and returns them.
  std::vector<Consumer*> take_all();

 private:
  std::size_t size_ = 0;
  // The groups by priority, the highest first. None is empty.
  std::map<std::int64_t, PriorityGroup, std::greater<>> groups_;
  PriorityGroup* first_ = nullptr;  // the first one of groups_, or null
};

}  // namespace haypile::engine
