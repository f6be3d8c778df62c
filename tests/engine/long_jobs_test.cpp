// Work that takes longer than one call may: each call does a bounded part of it, and nobody sees
// the half that is done.
#include <doctest/doctest.h>

#include <memory>

#include <haypile/amqp/table.hpp>

#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::Settlement;
using test::TestChannel;

namespace {

constexpr int many = 50'000;

struct Fixture : test::TurnsFixture {
  Fixture() : TurnsFixture(10'000) {}
  void publish_numbers(const std::string& queue, int first, int count, bool persistent = false) {
    for (int i = first; i < first + count; ++i)
      publish("", queue, std::to_string(i), {}, persistent);
  }
  std::string numbers(int first, int count, const char* mark = "") {
    std::string text;
    for (int i = first; i < first + count; ++i)
      text += (text.empty() ? "" : " ") + std::to_string(i) + mark;
    return text;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a channel that closes with many messages gives them back in turns") {
  engine::Queue& queue = declare("q");
  auto victim = std::make_unique<TestChannel>(engine, 1);
  TestChannel heir(engine, 2);
  victim->consume("q");
  publish_numbers("q", 0, many);
  victim->take();
  heir.consume("q");
  CHECK(spent_on([&] { victim.reset(); }) < call_units_max);
  // A later message does not overtake those that are on their way, and basic.get does not get it.
  publish_numbers("q", many, 1);
  CHECK(heir.take() == "");
  CHECK(TestChannel(engine, 3).get("q") == "nothing");
  CHECK(queue.unacked_count() + queue.ready_count() == many + 1);
  CHECK(finish() > 2);
  CHECK(heir.take() == numbers(0, many, "*") + " " + std::to_string(many));
  CHECK(queue.unacked_count() == many + 1);
}

TEST_CASE_FIXTURE(Fixture, "recover, and a nack of many, in turns") {
  declare("q");
  declare("r");
  TestChannel channel(engine, 1);
  channel.consume("q");
  publish_numbers("q", 0, many);
  publish_numbers("r", 0, 1);
  CHECK(channel.get("r") == "0");
  channel.take();
  SUBCASE("recover") {
    CHECK(spent_on([&] { channel.channel.requeue_all(); }) < call_units_max);
    CHECK(channel.settle(many) == 406);
    CHECK(channel.settle(many + 1) == 406);
    finish();
    CHECK(channel.take() == numbers(0, many, "*"));
    CHECK(channel.get("r") == "0*");
  }
  SUBCASE("some of them") {
    CHECK(spent_on([&] { CHECK(channel.settle(many - 10, true, Settlement::requeue) == 0); }) <
          call_units_max);
    CHECK(channel.settle(many - 10) == 406);
    CHECK(channel.settle(many - 9) == 0);
    finish();
    CHECK(channel.take() == numbers(0, many - 10, "*"));
    CHECK(channel.settle(0, true) == 0);
    finish();
    CHECK(engine.memory_bytes() < 1000);
  }
  SUBCASE("while it goes on the channel closes") {
    channel.channel.requeue_all();
    channel.channel.close();
    finish();
    TestChannel other(engine, 2);
    other.consume("q");
    CHECK(other.take() == numbers(0, many, "*"));
  }
  SUBCASE("while it goes on the queue is deleted") {
    channel.channel.requeue_all();
    std::size_t count = 0;
    REQUIRE_FALSE(engine.delete_queue("q", 0, false, false, count));
    CHECK(channel.cancelled == "c");
    declare("q");
    publish_numbers("q", 7, 1);
    finish();
    CHECK(channel.get("q") == "7");
    CHECK(channel.settle(0, true) == 0);
    CHECK(channel.get("r") == "0*");
    CHECK(channel.settle(0, true) == 0);
    CHECK(engine.memory_bytes() == 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "an ack of many makes room for others in turns") {
  engine::Queue& queue = declare("q", true);
  TestChannel channel(engine, 1);
  channel.channel.set_prefetch(many);
  channel.consume("q");
  publish_numbers("q", 0, many + 5, true);
  channel.take();
  CHECK(spent_on([&] { CHECK(channel.settle(0, true) == 0); }) < call_units_max);
  finish();
  CHECK(channel.take() == numbers(many, 5));
  CHECK(queue.unacked_count() == 5);
  CHECK(queue.ready_count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a transaction is not cut into turns") {
  engine::Queue& queue = declare("q");
  TestChannel channel(engine, 1);
  channel.consume("q");
  publish_numbers("q", 0, 5000);
  REQUIRE_FALSE(channel.channel.hold(0, true, Settlement::ack));
  channel.channel.settle_held();
  CHECK(queue.unacked_count() == 0);
  CHECK_FALSE(has_work());
}

TEST_CASE_FIXTURE(Fixture, "a transaction settles no more than one step can") {
  constexpr auto held_max = static_cast<int>(engine::Subscriptions::held_max);
  declare("q");
  TestChannel channel(engine, 1);
  channel.consume("q");
  publish_numbers("q", 0, held_max + 2);
  constexpr auto refused = static_cast<int>(engine::ErrorCode::precondition_failed);
  const auto hold = [&](int tag, bool multiple) {
    return static_cast<int>(
        channel.channel.hold(static_cast<std::uint64_t>(tag), multiple, Settlement::ack).code);
  };
  CHECK(hold(0, true) == refused);
  CHECK(hold(held_max + 1, true) == refused);
  CHECK(hold(1, false) == 0);
  CHECK(hold(held_max, true) == 0);
  CHECK(hold(held_max + 1, false) == refused);
  CHECK(hold(held_max + 1, true) == refused);
  channel.channel.settle_held();
  CHECK(hold(0, true) == 0);
  channel.channel.release_held();
  CHECK(hold(0, true) == 0);
}

TEST_CASE_FIXTURE(Fixture, "a queue of many messages is deleted at once, and emptied in turns") {
  declare("q", true);
  publish_numbers("q", 0, many, true);
  const std::size_t memory = engine.memory_bytes();
  std::size_t count = 0;
  CHECK(spent_on([&] { REQUIRE_FALSE(engine.delete_queue("q", 0, false, false, count)); }) <
        call_units_max);
  CHECK(count == many);
  CHECK(engine.queue_count() == 0);
  CHECK(engine.memory_bytes() > memory / 2);
  CHECK(declare("q", true).ready_count() == 0);
  publish_numbers("q", 0, 1, true);
  finish();
  CHECK(TestChannel(engine, 1).get("q", true) == "0");
  CHECK(engine.memory_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a connection's many exclusive queues go in turns, and seem gone") {
  for (int i = 0; i < many; ++i)
    declare("x" + std::to_string(i), false, false, 7);
  const std::size_t definitions = engine.definition_bytes();
  CHECK(definitions > many * sizeof(engine::Queue));
  CHECK(spent_on([&] { engine.connection_closed(7); }) < call_units_max);
  CHECK(engine.queue_count() > many / 2);
  engine::Queue* queue = nullptr;
  CHECK(engine.find_queue("x40000", 8, queue).code == engine::ErrorCode::not_found);
  std::size_t count = 0;
  CHECK_FALSE(engine.delete_queue("x40001", 8, false, false, count));
  declare("x40002", false, false, 8);
  finish();
  CHECK(engine.queue_count() == 1);
  CHECK(engine.definition_bytes() < definitions / 1000);
}
