// Replies of a channel that wait for the disk.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "engine/definitions.hpp"
#include "session/output.hpp"

namespace haypile::session {

// Holds the output of one channel back, from the first reply on that may only go out when the log
// is durable up to some position. Later frames wait behind it, so the order of the channel's frames
// is kept.
class HeldOutput {
 public:
  bool empty() const { return segments_.empty(); }
  OutputSizes sizes() const {
    OutputSizes sizes = before_tail_;
    if (!empty()) sizes += tail().sizes();
    return sizes;
  }

  // What is appended to tail() from now on goes out when the log is durable up to `until`, which
  // must not fall from call to call.
  void hold(engine::LogPosition until) {
    if (!empty() && segments_.back().until >= until) return;
    if (!empty()) before_tail_ += tail().sizes();
    segments_.push_back({until, {}});
  }
  // Requires that something is held: empty() is false.
  Output& tail() { return segments_.back().output; }
  const Output& tail() const { return segments_.back().output; }

  // Moves everything that may go out now to the end of `out`.
  void release(engine::LogPosition durable, Output& out) {
    while (first_ < segments_.size() && segments_[first_].until <= durable) {
      Output& output = segments_[first_].output;
      if (first_ + 1 < segments_.size()) before_tail_ -= output.sizes();
      out.append(std::move(output));
      ++first_;
    }
    if (first_ == segments_.size()) {
      segments_.clear();
      if (segments_.capacity() > kept_count) std::vector<Segment>().swap(segments_);
      first_ = 0;
    } else if (first_ > kept_count && first_ > segments_.size() / 2) {
      segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
  }

 private:
  static constexpr std::size_t kept_count = 64;

  struct Segment {
    engine::LogPosition until;
    Output output;
  };
  std::vector<Segment> segments_;
  std::size_t first_ = 0;  // the segments before it have been released
  OutputSizes before_tail_;
};

}  // namespace haypile::session
