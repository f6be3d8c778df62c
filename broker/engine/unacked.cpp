#include "engine/unacked.hpp"

#include <algorithm>

#include "engine/invariant.hpp"

namespace haypile::engine {

namespace {
constexpr std::size_t window_size_min = 1024;  // a shorter window makes no stragglers
constexpr std::size_t settled_share_max = 4;   // a window is at most this many times what is in it
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
  slot.queue = nullptr;  // NOLINT(bugprone-use-after-move)
  --in_window_;
  trim();
  return true;
}

bool Unacked::contains(std::uint64_t delivery_tag) const {
  if (delivery_tag < first_tag_) return stragglers_.contains(delivery_tag);
  return delivery_tag <= last_tag() && window_[delivery_tag - first_tag_].queue;
}

std::vector<TaggedMessage> Unacked::take_until(std::uint64_t delivery_tag) {
  std::vector<TaggedMessage> taken;
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

std::size_t Unacked::count_until(std::uint64_t last, std::size_t count_max) const {
  std::size_t count = 0;
  const auto end = stragglers_.upper_bound(last);
  for (auto it = stragglers_.begin(); it != end && count <= count_max; ++it)
    ++count;
  last = std::min(last, last_tag());
  for (std::uint64_t tag = first_tag_; tag <= last && count <= count_max; ++tag)
    count += window_[tag - first_tag_].queue ? 1 : 0;
  return count;
}

bool Unacked::any_until(std::uint64_t last) const {
  if (!stragglers_.empty()) return stragglers_.begin()->first <= last;
  return in_window_ > 0 && first_tag_ <= last;  // the first message in a window is unacked
}

bool Unacked::take_first(std::uint64_t last, TaggedMessage& out) {
  if (!any_until(last)) return false;
  if (!stragglers_.empty()) {
    auto node = stragglers_.extract(stragglers_.begin());
    out = {std::move(node.mapped()), node.key()};
    return true;
  }
  out = {std::move(window_.front()), first_tag_};
  --in_window_;
  window_.pop_front();
  ++first_tag_;
  trim();
  return true;
}

Unacked Unacked::split(std::uint64_t last) {
  Unacked part;
  part.walk_at_ = walk_at_;
  if (last >= last_tag()) {
    part.first_tag_ = part.walk_at_ = last_tag() + 1;
    std::swap(part, *this);
    return part;
  }
  while (!stragglers_.empty() && stragglers_.begin()->first <= last)
    part.stragglers_.insert(part.stragglers_.end(), stragglers_.extract(stragglers_.begin()));
  part.first_tag_ = first_tag_;
  for (; first_tag_ <= last; ++first_tag_) {
    if (window_.front().queue) {
      ++part.in_window_;
      --in_window_;
    }
    part.window_.push_back(std::move(window_.front()));
    window_.pop_front();
  }
  trim();
  return part;
}

void Unacked::check_invariants() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < window_.size(); ++i)
    count += window_[i].queue ? 1 : 0;
  expect_invariant(count == in_window_, "what is unacked in the window is counted");
  expect_invariant(window_.empty() || window_[0].queue, "a window begins with what is unacked");
  expect_invariant(stragglers_.empty() || stragglers_.rbegin()->first < first_tag_,
                   "stragglers are behind the window");
  expect_invariant(window_.size() <= std::max(window_size_min, settled_share_max * in_window_ + 1),
                   "a window is not much longer than what is in it");
}

void Unacked::put_back(TaggedMessage message) {
  walk_at_ = std::min(walk_at_, message.delivery_tag);
  if (message.delivery_tag < first_tag_) {
    stragglers_.emplace(message.delivery_tag, std::move(message));
    return;
  }
  window_[message.delivery_tag - first_tag_] = std::move(message);
  ++in_window_;
}

// Restores what holds for the window after each change: its first tag is unacked, and it is not
// much longer than the number of unacked messages in it. Settled tags at the front are dropped. If
// the window is too long, the oldest unacked message becomes a straggler, which uncovers the
// settled tags behind it. Stragglers always have lower tags than the window, so that they come
// first in all functions that follow the order of tags.
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

std::size_t Unacked::bytes(std::size_t count_max, std::size_t bytes_max) const {
  std::size_t bytes = 0;
  const auto add = [&](const UnackedMessage& message) {
    if (message.queue && message.entry.message) bytes += message.entry.message->size();
    return --count_max > 0 && bytes < bytes_max;
  };
  for (const auto& [tag, message] : stragglers_) {
    if (!add(message)) return bytes;
  }
  for (std::size_t i = 0; i < window_.size(); ++i) {
    if (!add(window_[i])) return bytes;
  }
  return bytes;
}

}  // namespace haypile::engine
