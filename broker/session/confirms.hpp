// Publisher confirms of one channel: which messages may be confirmed, and when.
#pragma once

#include <cstdint>
#include <deque>

#include "engine/definitions.hpp"

namespace haypile::session {

// Keeps the order in which messages are confirmed: the order in which they came, so that one ack
// with `multiple` covers all messages that became durable together. published() counts a message,
// seal() binds all counted messages to a log position, take() answers those whose position is
// durable.
class Confirms {
 public:
  bool enabled() const { return enabled_; }
  void enable() { enabled_ = true; }

  void published() {
    if (enabled_) ++published_;
  }
  // A queue has refused the message that was published last. The messages before it are sealed with
  // `position` as in seal().
  void rejected(engine::LogPosition position) {
    if (!enabled_) return;
    --published_;
    seal(position);
    sealed_ = ++published_;
    waiting_.push_back({sealed_, position, true});
  }
  // All messages published until now wait until the log is durable up to `position`.
  void seal(engine::LogPosition position) {
    if (published_ == sealed_) return;
    sealed_ = published_;
    waiting_.push_back({sealed_, position, false});
  }
  bool any_waiting() const { return !waiting_.empty(); }

  struct Answer {
    std::uint64_t delivery_tag = 0;  // 0: nothing to confirm
    bool multiple = false;
    bool rejected = false;
  };
  // The next answer that can be sent now. Call it until `delivery_tag` is 0.
  Answer take(engine::LogPosition durable) {
    const std::uint64_t before = confirmed_;
    while (!waiting_.empty() && waiting_.front().position <= durable) {
      const bool rejected = waiting_.front().rejected;
      if (rejected && confirmed_ != before) break;
      confirmed_ = waiting_.front().delivery_tag;
      waiting_.pop_front();
      if (rejected) return {confirmed_, false, true};
    }
    if (confirmed_ == before) return {};
    return {confirmed_, confirmed_ - before > 1, false};
  }

 private:
  struct Waiting {
    std::uint64_t delivery_tag;  // the last message of its group
    engine::LogPosition position;
    bool rejected;
  };
  bool enabled_ = false;
  // The last delivery tags: confirmed_ <= sealed_ <= published_.
  std::uint64_t published_ = 0;
  std::uint64_t sealed_ = 0;
  std::uint64_t confirmed_ = 0;
  std::deque<Waiting> waiting_;
};

}  // namespace haypile::session
