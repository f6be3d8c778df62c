#include "engine/unacked.hpp"

#include <algorithm>

namespace haypile::engine {

namespace {
constexpr std::size_t window_size_min = 1024;  // shorter ones are never thinned out
constexpr std::size_t settled_share_max = 4;   // a window is at most so many times what is in it
}  // namespace

std::uint64_t Unacked::skip() {
  if (window_.empty()) return first_tag_++;
  window_.push_back({});
  const std::uint64_t tag = last_tag();
  trim();
  return tag;
}

bool Unacked::take(std::uint64_t delivery_tag, UnackedMessage& out) {
  if (delivery_tag < first_tag_) {
    const auto found = stragglers_.find(delivery_tag);
    if (found == stragglers_.end()) return false;
    out = std::move(found->second);
    stragglers_.erase(found);
    return true;
  }
  if (delivery_tag > last_tag()) return false;
  UnackedMessage& slot = window_[delivery_tag - first_tag_];
  if (!slot.queue) return false;
  out = std::move(slot);
  slot.queue = nullptr;
  --in_window_;
  trim();
  return true;
}

bool Unacked::contains(std::uint64_t delivery_tag) const {
  if (delivery_tag < first_tag_) return stragglers_.contains(delivery_tag);
  return delivery_tag <= last_tag() && window_[delivery_tag - first_tag_].queue;
}

std::vector<TakenMessage> Unacked::take_until(std::uint64_t delivery_tag) {
  std::vector<TakenMessage> taken;
  const auto end = stragglers_.upper_bound(delivery_tag);
  for (auto it = stragglers_.begin(); it != end; ++it)
    taken.push_back({std::move(it->second), it->first});
  stragglers_.erase(stragglers_.begin(), end);
  while (!window_.empty() && first_tag_ <= delivery_tag) {
    if (window_.front().queue) {
      taken.push_back({std::move(window_.front()), first_tag_});
      --in_window_;
    }
    window_.pop_front();
    ++first_tag_;
  }
  trim();
  return taken;
}

void Unacked::put_back(TakenMessage message) {
  if (message.delivery_tag < first_tag_) {
    stragglers_.emplace(message.delivery_tag, std::move(message));
    return;
  }
  window_[message.delivery_tag - first_tag_] = std::move(message);
  ++in_window_;
}

void Unacked::trim() {
  while (!window_.empty()) {
    if (window_.front().queue) {
      if (window_.size() <= std::max(window_size_min, settled_share_max * in_window_)) return;
      stragglers_.emplace_hint(stragglers_.end(), first_tag_, std::move(window_.front()));
      --in_window_;
    }
    window_.pop_front();
    ++first_tag_;
  }
}

}  // namespace haypile::engine
