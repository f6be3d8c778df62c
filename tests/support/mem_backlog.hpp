// A backlog in memory, and a check of how it is filled.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "engine/backlog.hpp"

namespace haypile::test {

class MemBacklog final : public engine::Backlog {
 public:
  // Called for each message that drop_unread() drops.
  using OnDrop = std::function<void(engine::LogPosition message)>;
  explicit MemBacklog(OnDrop on_drop) : on_drop_(std::move(on_drop)) {}

  // False if it comes out of order.
  bool add(const engine::CopyToStore& copy, engine::StoredId id) {
    const bool in_order = copy.place > last_place_;
    last_place_ = copy.place;
    if (copy.stays_in_memory) return in_order && !adds_unread_;
    adds_unread_ = true;
    unread_.push_back({copy, id, std::string(copy.message.exchange),
                       std::string(copy.message.routing_key), std::string(copy.message.properties),
                       std::string(copy.message.body)});
    return in_order;
  }
  void end_move() { adds_unread_ = false; }

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
  std::uint64_t last_place() const override { return last_place_; }
  bool is_timed() const override { return true; }
  // A few at a time.
  void read(const Take& take) override {
    for (int i = 0; i < 3 && !unread_.empty(); ++i) {
      const Kept kept = std::move(unread_.front());
      unread_.pop_front();
      take({.id = kept.id,
            .position = kept.copy.position,
            .place = kept.copy.place,
            .delivery_count = kept.copy.delivery_count,
            .redelivered = kept.copy.redelivered,
            .message = {kept.exchange, kept.routing_key, kept.properties, kept.body,
                        kept.copy.message.published_at}});
    }
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
  };
  OnDrop on_drop_;
  std::deque<Kept> unread_;
  std::uint64_t last_place_ = 0;
  bool adds_unread_ = false;
};

}  // namespace haypile::test
