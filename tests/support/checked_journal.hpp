// A journal that keeps the books a log keeps, and complains about what no log could make sense of.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <haypile/amqp/properties.hpp>

#include "engine/journal.hpp"

namespace haypile::test {

class CheckedJournal final : public engine::Journal {
 public:
  // While held, nothing more becomes durable.
  void hold() {
    if (!std::exchange(held_, true)) durable_ = end_;
  }
  void release() { held_ = false; }

  // Bodies of the messages that a recovery would find in the queue, in their order.
  std::vector<std::string> bodies_in(const std::string& queue) const {
    std::vector<std::string> bodies;
    for (const auto& [position, message] : messages_) {
      for (const engine::QueueId id : message.queues) {
        if (queues_.at(id) == queue) bodies.push_back(message.body);
      }
    }
    return bodies;
  }
  // Nothing is left of what was declared and published.
  bool empty() const { return queues_.empty() && messages_.empty() && to_release_.empty(); }

  void declare_exchange(const engine::ExchangeDefinition& exchange) override {
    append();
    expect(exchange.durable && exchanges_.insert(exchange.name).second, "exchange twice");
  }
  void delete_exchange(std::string_view name) override {
    append();
    expect(exchanges_.erase(std::string(name)) == 1, "no such exchange");
  }
  void declare_queue(const engine::QueueDefinition& queue) override {
    append();
    expect(queue.durable && queues_.emplace(queue.id, queue.name).second, "queue twice");
  }
  void delete_queue(engine::QueueId queue) override {
    append();
    expect(queues_.erase(queue) == 1, "no such queue");
    for (auto it = messages_.begin(); it != messages_.end();) {
      if (it->second.queues.erase(queue) > 0) ++to_release_[it->first];
      it = it->second.queues.empty() ? messages_.erase(it) : std::next(it);
    }
  }
  void bind(const engine::BindingDefinition&) override { append(); }
  void unbind(const engine::BindingDefinition&) override { append(); }
  engine::LogPosition publish(const engine::MessageView& message,
                              std::span<const engine::QueueId> queues) override {
    ++end_;
    expect(message.exchange.size() <= 255 && message.routing_key.size() <= 255, "long names");
    expect(amqp::peek_delivery_mode(message.properties) == amqp::delivery_mode_persistent,
           "a transient message");
    const std::set<engine::QueueId> ids(queues.begin(), queues.end());
    expect(!ids.empty() && ids.size() == queues.size(), "no queue, or one twice");
    for (const engine::QueueId id : ids)
      expect(queues_.contains(id), "a message for a queue that is not there");
    messages_[end_] = {std::string(message.body), ids};
    return end_;
  }
  void ack(engine::QueueId queue, engine::LogPosition message) override {
    ++end_;
    expect_held(queue, message, "ack");
    messages_[message].queues.erase(queue);
    if (messages_[message].queues.empty()) messages_.erase(message);
  }
  void release(engine::LogPosition message) override {
    const auto found = to_release_.find(message);
    if (found == to_release_.end()) return expect(false, "release of what is not there");
    if (--found->second == 0) to_release_.erase(found);
  }
  void mark_delivered(engine::QueueId queue, engine::LogPosition message) override {
    append();
    expect_held(queue, message, "mark_delivered");
  }
  void set_delivery_count(engine::QueueId queue, engine::LogPosition message,
                          std::uint32_t) override {
    ++end_;
    expect_held(queue, message, "set_delivery_count");
  }
  void set_unused_since(engine::QueueId queue, engine::TimeMs) override {
    append();
    expect(queues_.contains(queue), "set_unused_since of a queue that is not there");
  }
  void begin_group() override { expect(!std::exchange(in_group_, true), "groups nest"); }
  void end_group() override { expect(std::exchange(in_group_, false), "no group to end"); }
  engine::LogPosition end() const override { return end_; }
  engine::LogPosition durable() const override { return held_ ? durable_ : end_; }

 private:
  struct Message {
    std::string body;
    std::set<engine::QueueId> queues;
  };

  static void expect(bool well, const char* complaint) {
    if (!well) FAIL_CHECK(complaint);
  }
  void expect_held(engine::QueueId queue, engine::LogPosition message, const char* what) {
    const auto found = messages_.find(message);
    if (found != messages_.end() && found->second.queues.contains(queue)) return;
    FAIL_CHECK(what << " of a message that is not in queue " << queue << ": " << message);
  }
  // Of a record that may not be part of a group.
  void append() {
    ++end_;
    expect(!in_group_, "a definition within a group");
  }

  engine::LogPosition end_ = 0;
  engine::LogPosition durable_ = 0;
  bool held_ = false;
  bool in_group_ = false;
  std::set<std::string> exchanges_;
  std::map<engine::QueueId, std::string> queues_;
  std::map<engine::LogPosition, Message> messages_;  // with the queues that hold them
  std::map<engine::LogPosition, int> to_release_;    // copies in deleted queues
};

}  // namespace haypile::test
