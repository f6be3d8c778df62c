#include "engine/unacked.hpp"

#include <algorithm>

namespace haypile::engine {

namespace {
constexpr std::size_t window_size_min = 1024;  // shorter ones are never thinned out
constexpr std::size_t settled_share_max = 4;   // a window is at most so many times what is in it
}  // namespace

std::uint64_t Unacked::add(UnackedMessage message) {
  window_.push_back(std::move(message));
  ++in_window_;
  return last_tag();
}

std::uint64_t Unacked::skip() {
  if (window_.empty()) return first_tag_++;
  window_.emplace_back();
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
  out = std::exchange(slot, {});
  --in_window_;
  trim();
  return true;
}

std::vector<UnackedMessage> Unacked::take_until(std::uint64_t delivery_tag) {
  std::vector<UnackedMessage> taken;
  const auto end = stragglers_.upper_bound(delivery_tag);
  for (auto it = stragglers_.begin(); it != end; ++it)
    taken.push_back(std::move(it->second));
  stragglers_.erase(stragglers_.begin(), end);
  while (!window_.empty() && first_tag_ <= delivery_tag) {
    if (window_.front().queue) {
      taken.push_back(std::move(window_.front()));
      --in_window_;
    }
    window_.pop_front();
    ++first_tag_;
  }
  trim();
  return taken;
}

void Unacked::trim() {
  while (!window_.empty()) {
    const bool thin = window_.size() > std::max(window_size_min, settled_share_max * in_window_);
    if (window_.front().queue) {
      if (!thin) return;
      stragglers_.emplace_hint(stragglers_.end(), first_tag_, std::move(window_.front()));
      --in_window_;
    }
    window_.pop_front();
    ++first_tag_;
  }
}

}  // namespace haypile::engine
