#include "engine/line.hpp"

namespace haypile::engine {

void Line::add(Consumer& consumer) {
  ConsumerGroup& group = groups_[consumer.options().priority];
  first_ = &groups_.begin()->second;
  consumer.group_ = &group;
  consumer.place_ = group.in_line.insert(group.in_line.end(), &consumer);
  consumer.in_line_ = true;
  ++size_;
}

void Line::remove(Consumer& consumer) {
  ConsumerGroup& group = *consumer.group_;
  (consumer.in_line_ ? group.in_line : group.waiting).erase(consumer.place_);
  --size_;
  if (group.in_line.empty() && group.waiting.empty()) groups_.erase(consumer.options().priority);
  first_ = groups_.empty() ? nullptr : &groups_.begin()->second;
}

std::vector<Consumer*> Line::take_all() {
  std::vector<Consumer*> all;
  for (const auto& [priority, group] : groups_) {
    all.insert(all.end(), group.in_line.begin(), group.in_line.end());
    all.insert(all.end(), group.waiting.begin(), group.waiting.end());
  }
  groups_.clear();
  first_ = nullptr;
  size_ = 0;
  return all;
}

}  // namespace haypile::engine
