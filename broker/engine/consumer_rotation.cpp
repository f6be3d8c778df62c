#include "engine/consumer_rotation.hpp"

namespace haypile::engine {

void ConsumerRotation::add(Consumer& consumer) {
  PriorityGroup& group = groups_[consumer.options().priority];
  first_ = &groups_.begin()->second;
  consumer.turn() = {.is_taken = true,
                     .group = &group,
                     .place = group.taking_turns.insert(group.taking_turns.end(), &consumer)};
  ++size_;
}

void ConsumerRotation::remove(Consumer& consumer) {
  PriorityGroup& group = *consumer.turn().group;
  (consumer.takes_turns() ? group.taking_turns : group.set_aside).erase(consumer.turn().place);
  --size_;
  if (group.taking_turns.empty() && group.set_aside.empty())
    groups_.erase(consumer.options().priority);
  first_ = groups_.empty() ? nullptr : &groups_.begin()->second;
}

std::vector<Consumer*> ConsumerRotation::take_all() {
  std::vector<Consumer*> all;
  for (const auto& [priority, group] : groups_) {
    all.insert(all.end(), group.taking_turns.begin(), group.taking_turns.end());
    all.insert(all.end(), group.set_aside.begin(), group.set_aside.end());
  }
  groups_.clear();
  first_ = nullptr;
  size_ = 0;
  return all;
}

}  // namespace haypile::engine
