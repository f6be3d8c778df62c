// A backlog in memory, and a check of how it is filled.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "engine/backlog.hpp"

namespace haypile::test {

// A message that was stored.
class KeptCopy {
 public:
  KeptCopy(const engine::MessageToStore& copy, engine::StoredId id)
      : copy_(copy),
        id_(id),
        exchange_(copy.message.exchange),
        routing_key_(copy.message.routing_key),
        properties_(copy.message.properties),
        body_(copy.message.body) {}
  engine::QueueId queue() const { return copy_.queue; }
  engine::LogPosition position() const { return copy_.position; }
  std::uint64_t place() const { return copy_.place; }
  std::size_t body_size() const { return body_.size(); }
  engine::StoredMessage stored() const {
    return {.id = id_,
            .position = copy_.position,
            .place = copy_.place,
            .delivery_count = copy_.delivery_count,
            .redelivered = copy_.redelivered,
            .is_shared = copy_.is_shared,
            .message = {exchange_, routing_key_, properties_, body_, copy_.message.published_at}};
  }

 private:
  engine::MessageToStore copy_;  // its views are not valid any more
  engine::StoredId id_;
  std::string exchange_, routing_key_, properties_, body_;
};

// A backlog that holds its messages in memory. end_portion() makes them readable.
class MemBacklog final : public engine::Backlog {
 public:
  // Called for each message that drop_unread() drops.
  using OnDrop = std::function<void(engine::LogPosition message)>;
  explicit MemBacklog(OnDrop on_drop) : on_drop_(std::move(on_drop)) {}

  // Adds a message, which can be read when the portion has ended.
  void add(const engine::MessageToStore& copy, engine::StoredId id) {
    last_place_ = std::max(last_place_, copy.place);
    if (!copy.stays_in_memory) portion_.emplace_back(copy, id);
  }
  void end_portion() {
    for (KeptCopy& kept : portion_)
      unread_.push_back(std::move(kept));
    portion_.clear();
    std::ranges::sort(unread_, {}, &KeptCopy::place);
  }

  bool has_unread(engine::LogPosition message) const {
    return std::ranges::any_of(unread_,
                               [&](const KeptCopy& kept) { return kept.position() == message; });
  }

  std::size_t unread_count() const override { return unread_.size(); }
  std::size_t unread_bytes() override {
    std::size_t bytes = 0;
    for (const KeptCopy& kept : unread_)
      bytes += kept.body_size();
    return bytes;
  }
  std::uint64_t next_place() const override {
    return unread_.empty() ? no_place : unread_.front().place();
  }
  std::uint64_t last_place() const override { return last_place_; }
  bool is_timed() const override { return true; }
  // Reads a few messages at a time.
  void read(const Take& take, std::size_t) override {
    for (int i = 0; i < 3 && !unread_.empty(); ++i) {
      const KeptCopy kept = std::move(unread_.front());
      unread_.pop_front();
      take(kept.stored());
    }
  }
  void peek(const Take& visit) override {
    if (!unread_.empty()) visit(unread_.front().stored());
  }
  void look_at(const Take&) override {}
  void drop_unread() override {
    for (const KeptCopy& kept : unread_)
      on_drop_(kept.position());
    unread_.clear();
  }

 private:
  OnDrop on_drop_;
  std::deque<KeptCopy> unread_;
  std::vector<KeptCopy> portion_;
  std::uint64_t last_place_ = 0;
};

}  // namespace haypile::test
