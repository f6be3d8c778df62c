// Replies that wait for the disk.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "engine/definitions.hpp"

namespace haypile::session {

// What a channel has to say, from the first reply on that may not go out before the log is durable
// so far: the order of one channel's frames is kept.
class HeldOutput {
 public:
  bool empty() const { return segments_.empty(); }
  std::size_t size() const { return size_before_tail_ + (empty() ? 0 : tail().size()); }

  // What is appended to tail() from now on goes out when the log is durable up to `until`, which
  // never falls from call to call.
  void hold(engine::LogPosition until) {
    if (!empty() && segments_.back().until >= until) return;
    if (!empty()) size_before_tail_ += tail().size();
    segments_.push_back({until, {}});
  }
  // There must have been a hold().
  std::string& tail() { return segments_.back().bytes; }
  const std::string& tail() const { return segments_.back().bytes; }

  // Moves to the end of `out` what may go now.
  void release(engine::LogPosition durable, std::string& out) {
    while (!empty() && segments_.front().until <= durable) {
      out += segments_.front().bytes;
      if (segments_.size() > 1) size_before_tail_ -= segments_.front().bytes.size();
      segments_.pop_front();
    }
  }

 private:
  struct Segment {
    engine::LogPosition until;
    std::string bytes;
  };
  std::deque<Segment> segments_;
  std::size_t size_before_tail_ = 0;
};

}  // namespace haypile::session
