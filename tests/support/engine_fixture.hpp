// A virtual host without wire or disk, and consumers that record what they are given.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "session/amqp_property_codec.hpp"
#include "support/test_journal.hpp"

namespace haypile::test {

// A channel whose deliveries can be read, and that can run out of room.
class TestChannel final : public engine::DeliverySink {
 public:
  TestChannel(engine::Engine& engine, engine::OwnerId owner) : channel(engine, *this, owner) {}

  // The bodies that came since the last call; "*" follows those that were redelivered.
  std::string take() { return std::exchange(text_, {}); }
  std::uint64_t last_tag = 0;
  std::string cancelled;
  std::size_t room = 1'000'000;
  // The size of the properties of a message that was too large for the channel; 0: none. Each get()
  // sets it.
  std::size_t refused_size = 0;

  void consume(const std::string& queue, const std::string& tag = "c", bool no_ack = false) {
    const engine::Error error = channel.consume(queue, {.tag = tag, .no_ack = no_ack});
    REQUIRE_FALSE(error);
    channel.start_consumer(tag);
  }
  // Returns the error code, 0 if all is well.
  int settle(std::uint64_t tag, bool multiple = false,
             engine::Settlement how = engine::Settlement::ack) {
    return static_cast<int>(channel.settle(tag, multiple, how).code);
  }
  std::string get(const std::string& queue, bool no_ack = false) {
    engine::GetResult result;
    REQUIRE_FALSE(channel.get(queue, no_ack, result));
    refused_size = result.refused_size;
    if (refused_size != 0) return "too large";
    if (!result.found) return "nothing";
    last_tag = result.delivery_tag;
    return std::string(result.message->body()) + (result.redelivered ? "*" : "");
  }

 private:
  bool deliver(const engine::Delivery& delivery) override {
    last_tag = delivery.delivery_tag;
    if (!text_.empty()) text_ += ' ';
    text_ += std::string(delivery.message->body()) + (delivery.redelivered ? "*" : "");
    return --room > 0;
  }
  void consumer_cancelled(std::string_view tag) override { cancelled += tag; }
  void refused(std::size_t properties_size) override { refused_size = properties_size; }

  std::string text_;

 public:
  engine::Subscriptions channel;
};

struct EngineFixture {
  session::AmqpPropertyCodec reader;
  TestJournal journal;
  engine::Engine engine{"/", journal, reader};

  engine::QueueDefinition definition(const std::string& name, bool durable = false,
                                     bool auto_delete = false) {
    return {.id = 0, .name = name, .durable = durable, .auto_delete = auto_delete, .arguments = {}};
  }
  engine::Queue& declare(const std::string& name, bool durable = false, bool auto_delete = false,
                         engine::OwnerId owner = 0) {
    engine::Queue* queue = nullptr;
    const engine::Error error =
        engine.declare_queue(definition(name, durable, auto_delete), owner, owner, queue);
    REQUIRE_FALSE(error);
    return *queue;
  }
  void exchange(const std::string& name, engine::ExchangeType type, bool auto_delete = false) {
    REQUIRE_FALSE(engine.declare_exchange({name, type, false, auto_delete, false, ""}));
  }
  void bind(const std::string& source, const std::string& queue, const std::string& key,
            const std::string& arguments = {}) {
    REQUIRE_FALSE(engine.bind({source, engine::DestinationKind::queue, queue, key, arguments}, 0));
  }
  void bind_exchange(const std::string& source, const std::string& destination,
                     const std::string& key = {}) {
    REQUIRE_FALSE(
        engine.bind({source, engine::DestinationKind::exchange, destination, key, ""}, 0));
  }
  void delete_exchange(const std::string& name) {
    bool is_done = false;
    REQUIRE_FALSE(engine.delete_exchange(name, false, is_done));
    REQUIRE(is_done);
  }
  void delete_queue(const std::string& name) {
    std::size_t count = 0;
    REQUIRE_FALSE(engine.delete_queue(name, 0, false, false, count));
  }
  // Returns how many queues took the message.
  std::size_t publish(std::string_view exchange, std::string_view key, std::string_view body = "m",
                      std::string_view headers = {}, bool persistent = false) {
    const engine::PublishResult result = engine.publish(
        {.message = {.exchange = exchange, .routing_key = key, .properties = {}, .body = body},
         .traits = {.persistent = persistent},
         .headers = headers});
    REQUIRE_FALSE(result.error);
    return result.queue_count;
  }
  void publish_all(const std::string& queue, const std::string& bodies) {
    for (const char body : bodies)
      publish("", queue, std::string(1, body));
  }
};

// A fixture that measures the work of calls and turns, to check that it is bounded.
struct TurnsFixture : EngineFixture {
  // All work that is left must be done within `turns_max` turns.
  explicit TurnsFixture(int turns_max) : turns_max_(turns_max) { engine.set_now(1000); }

  // The most that one call may do, in units of work.
  static constexpr std::uint64_t call_units_max = 3'000;

  std::uint64_t spent_on(const auto& call) {
    const std::uint64_t before = engine.work().spent();
    call();
    return engine.work().spent() - before;
  }
  bool has_work() { return engine.next_deadline() <= 1000; }
  void turn() {
    engine.work().begin_turn(0);
    REQUIRE(spent_on([&] { engine.advance(1000); }) <= 20'000);
    REQUIRE_NOTHROW(engine.check_invariants());
  }
  int finish() {
    int turns = 0;
    for (; has_work(); ++turns) {
      REQUIRE(turns < turns_max_);
      turn();
    }
    return turns;
  }

 private:
  const int turns_max_;
};

}  // namespace haypile::test
