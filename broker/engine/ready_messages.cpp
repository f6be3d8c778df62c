#include "engine/ready_messages.hpp"

#include <algorithm>
#include <utility>

namespace haypile::engine {

unsigned ReadyMessages::top_priority() const {
  if (!has_levels()) return 0;
  std::size_t word = used_.size() - 1;
  while (used_[word] == 0)
    --word;
  return static_cast<unsigned>(word * 64) + static_cast<unsigned>(std::bit_width(used_[word])) - 1;
}

ReadyMessages::Level& ReadyMessages::level_for(const Entry& entry) {
  const std::size_t priority = std::min<std::size_t>(entry.message->priority(), higher_.size());
  used_[priority / 64] |= std::uint64_t{1} << (priority % 64);
  if (priority == 0) return lowest_;
  auto& level = higher_[priority - 1];
  if (!level) level = std::make_unique<Level>();
  return *level;
}

void ReadyMessages::pop(unsigned priority, Entry& out) {
  Level& from = level(priority);
  take_front(from, out);
  if (has_levels() && from.empty()) used_[priority / 64] &= ~(std::uint64_t{1} << (priority % 64));
}

void ReadyMessages::clear() {
  for_each_used([this](unsigned priority) {
    level(priority).returned.clear();
    level(priority).fresh.clear();
  });
  used_ = {};
  size_ = 0;
  bytes_ = 0;
}

}  // namespace haypile::engine
