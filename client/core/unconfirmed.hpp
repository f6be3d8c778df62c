// The messages of one channel that the broker has not confirmed yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace haypile {

// Their numbers rise by one, beginning with 1, so a window of flags is enough.
class Unconfirmed {
 public:
  // Returns the number of the message that is published now.
  std::uint64_t add() {
    window_.push_back(true);
    ++count_;
    return first_ + window_.size() - 1;
  }
  // Calls `each` with the numbers that are settled by this, in order; not with those that were
  // settled before. `number` must have been returned by add().
  template <class Each>
  void settle(std::uint64_t number, bool multiple, Each&& each) {
    if (number < first_) return;
    if (!multiple) {
      if (std::exchange(window_[number - first_], false)) {
        --count_;
        each(number);
      }
    } else {
      for (std::uint64_t at = first_; at <= number; ++at) {
        if (!std::exchange(window_[at - first_], false)) continue;
        --count_;
        each(at);
      }
    }
    while (!window_.empty() && !window_.front()) {
      window_.pop_front();
      ++first_;
    }
  }
  std::size_t count() const { return count_; }

 private:
  std::deque<bool> window_;  // the first one has the number first_; true: unconfirmed
  std::uint64_t first_ = 1;
  std::size_t count_ = 0;
};

}  // namespace haypile
