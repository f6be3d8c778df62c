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

class MemBacklog final : public engine::Backlog {
 public:
  // Called for each message that drop_unread() drops.
  using OnDrop = std::function<void(engine::LogPosition message)>;
  explicit MemBacklog(OnDrop on_drop) : on_drop_(std::move(on_drop)) {}

  // Can be read once the portion has ended.
  void add(const engine::CopyToStore& copy, engine::StoredId id) {
    last_place_ = std::max(last_place_, copy.place);
    if (copy.stays_in_memory) return;
    portion_.push_back({copy, id, std::string(copy.message.exchange),
                        std::string(copy.message.routing_key), std::string(copy.message.properties),
                        std::string(copy.message.body)});
  }
  void end_portion() {
    for (Kept& kept : portion_)
      unread_.push_back(std::move(kept));
    portion_.clear();
    std::ranges::sort(unread_, {}, [](const Kept& kept) { return kept.copy.place; });
  }

  bool has_unread(engine::LogPosition message) const {
    return std::ranges::any_of(unread_,
                               [&](const Kept& kept) { return kept.copy.position == message; });
  }

  std::size_t unread_count() const override { return unread_.size(); }
  std::size_t unread_bytes() override {
    std::size_t bytes = 0;
    for (const Kept& kept : unread_)
      bytes += kept.body.size();
    return bytes;
  }
  std::uint64_t next_place() const override {
    return unread_.empty() ? no_place : unread_.front().copy.place;
  }
  std::uint64_t last_place() const override { return last_place_; }
  bool is_timed() const override { return true; }
  // A few at a time.
  void read(const Take& take, std::size_t) override {
    for (int i = 0; i < 3 && !unread_.empty(); ++i) {
      const Kept kept = std::move(unread_.front());
      unread_.pop_front();
      take(kept.stored());
    }
  }
  void peek(const Take& visit) override {
    if (!unread_.empty()) visit(unread_.front().stored());
  }
  void look_at(const Take&) override {}
  void drop_unread() override {
    for (const Kept& kept : unread_)
      on_drop_(kept.copy.position);
    unread_.clear();
  }

 private:
  struct Kept {
    engine::CopyToStore copy;  // its views are not valid any more
    engine::StoredId id;
    std::string exchange, routing_key, properties, body;

    engine::StoredMessage stored() const {
      return {.id = id,
              .position = copy.position,
              .place = copy.place,
              .delivery_count = copy.delivery_count,
              .redelivered = copy.redelivered,
              .is_shared = copy.is_shared,
              .message = {exchange, routing_key, properties, body, copy.message.published_at}};
    }
  };
  OnDrop on_drop_;
  std::deque<Kept> unread_;
  std::vector<Kept> portion_;
  std::uint64_t last_place_ = 0;
};

}  // namespace haypile::test
