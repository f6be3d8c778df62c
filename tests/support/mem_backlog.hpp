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
class KeptEntry {
 public:
  KeptEntry(const engine::MessageToStore& entry, engine::StoredId id)
      : entry_(entry),
        id_(id),
        exchange_(entry.message.exchange),
        routing_key_(entry.message.routing_key),
        properties_(entry.message.properties),
        body_(entry.message.body) {}
  engine::QueueId queue() const { return entry_.queue; }
  engine::LogPosition position() const { return entry_.position; }
  std::uint64_t place() const { return entry_.place; }
  std::size_t body_size() const { return body_.size(); }
  engine::StoredMessage stored() const {
    return {.id = id_,
            .position = entry_.position,
            .place = entry_.place,
            .delivery_count = entry_.delivery_count,
            .redelivered = entry_.redelivered,
            .is_shared = entry_.is_shared,
            .message = {exchange_, routing_key_, properties_, body_, entry_.message.published_at}};
  }

 private:
  engine::MessageToStore entry_;  // its views are not valid any more
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
  void add(const engine::MessageToStore& entry, engine::StoredId id) {
    last_place_ = std::max(last_place_, entry.place);
    if (!entry.stays_in_memory) portion_.emplace_back(entry, id);
  }
  void end_portion() {
    for (KeptEntry& kept : portion_)
      unread_.push_back(std::move(kept));
    portion_.clear();
    std::ranges::sort(unread_, {}, &KeptEntry::place);
  }

  bool has_unread(engine::LogPosition message) const {
    return std::ranges::any_of(unread_,
                               [&](const KeptEntry& kept) { return kept.position() == message; });
  }

  std::size_t unread_count() const override { return unread_.size(); }
  std::size_t unread_bytes() override {
    std::size_t bytes = 0;
    for (const KeptEntry& kept : unread_)
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
      const KeptEntry kept = std::move(unread_.front());
      unread_.pop_front();
      take(kept.stored());
    }
  }
  void peek(const Take& visit) override {
    if (!unread_.empty()) visit(unread_.front().stored());
  }
  void look_at(const Take&) override {}
  void drop_unread() override {
    for (const KeptEntry& kept : unread_)
      on_drop_(kept.position());
    unread_.clear();
  }

 private:
  OnDrop on_drop_;
  std::deque<KeptEntry> unread_;
  std::vector<KeptEntry> portion_;
  std::uint64_t last_place_ = 0;
};

}  // namespace haypile::test
