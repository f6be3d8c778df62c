// Publisher confirms of one channel: which messages may be confirmed when.
#pragma once

#include <cstdint>
#include <deque>

#include "engine/definitions.hpp"

namespace haypile::session {

// Messages are confirmed in the order they came, so that one ack with `multiple` stands for all
// that became durable together.
class Confirms {
 public:
  bool enabled() const { return enabled_; }
  void enable() { enabled_ = true; }

  void published() {
    if (enabled_) ++published_;
  }
  // All that was published until now needs the log to be durable up to `position`.
  void seal(engine::LogPosition position) {
    if (published_ == sealed_) return;
    sealed_ = published_;
    waiting_.push_back({sealed_, position});
  }
  bool any_waiting() const { return !waiting_.empty(); }

  struct Ack {
    std::uint64_t delivery_tag = 0;  // 0: nothing to confirm
    bool multiple = false;
  };
  // What can be confirmed now, once.
  Ack take(engine::LogPosition durable) {
    const std::uint64_t before = confirmed_;
    while (!waiting_.empty() && waiting_.front().position <= durable) {
      confirmed_ = waiting_.front().delivery_tag;
      waiting_.pop_front();
    }
    if (confirmed_ == before) return {};
    return {confirmed_, confirmed_ - before > 1};
  }

 private:
  struct Waiting {
    std::uint64_t delivery_tag;  // the last one of its group
    engine::LogPosition position;
  };
  bool enabled_ = false;
  std::uint64_t published_ = 0;
  std::uint64_t sealed_ = 0;
  std::uint64_t confirmed_ = 0;
  std::deque<Waiting> waiting_;
};

}  // namespace haypile::session
