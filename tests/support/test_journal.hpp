// A journal whose durable position is controlled by the test.
#pragma once

#include <vector>

#include "engine/journal.hpp"

namespace haypile::test {

class TestJournal final : public engine::UnboundedJournal {
 public:
  // Nothing more becomes durable until release().
  void hold() {
    held_ = true;
    durable_ = end_;
  }
  void release() { held_ = false; }
  bool is_behind = false;

  void declare_exchange(const engine::ExchangeDefinition&) override { ++end_; }
  void delete_exchange(std::string_view) override { ++end_; }
  void declare_queue(const engine::QueueDefinition&) override { ++end_; }
  void delete_queue(engine::QueueId) override { ++end_; }
  void bind(const engine::BindingDefinition&) override { ++end_; }
  void unbind(const engine::BindingDefinition&) override { ++end_; }
  void release_binding(const engine::BindingDefinition&) override { ++released_bindings; }
  int released_bindings = 0;
  engine::LogPosition publish(const engine::MessageView&,
                              std::span<const engine::QueueId>) override {
    return ++end_;
  }
  void ack(const engine::QueuedRef&) override { ++end_; }
  void release(const engine::QueuedRef&) override {}
  void mark_delivered(const engine::QueuedRef&) override { ++end_; }
  void set_delivery_count(const engine::QueuedRef&, std::uint32_t) override { ++end_; }
  void set_unused_since(engine::QueueId, engine::TimeMs time) override {
    ++end_;
    unused_since.push_back(time);
  }
  std::vector<engine::TimeMs> unused_since;  // one for each call
  void begin_group() override { ++groups; }
  void end_group() override {}
  int groups = 0;
  bool keeps_up() const override { return !is_behind; }
  engine::LogPosition end() const override { return end_; }
  engine::LogPosition durable() const override { return held_ ? durable_ : end_; }

 private:
  engine::LogPosition end_ = 0;
  engine::LogPosition durable_ = 0;
  bool held_ = false;
};

}  // namespace haypile::test
