// basic.qos with `global`: one credit for all consumers of a channel.
#include <doctest/doctest.h>

#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::Settlement;
using test::TestChannel;

namespace {
std::string tag(int i) {
  return "c" + std::to_string(i);
}
}  // namespace

TEST_CASE_FIXTURE(test::EngineFixture, "an ack costs the same however many consumers there are") {
  constexpr int consumers = 20'000;
  declare("busy");
  TestChannel channel(engine, 1);
  channel.channel.set_channel_prefetch(1);
  for (int i = 0; i < consumers; ++i)
    channel.consume("busy", tag(i));
  for (int i = 0; i < 3'000; ++i)
    publish("", "busy", "x");
  const std::uint64_t before = engine.work().spent();
  for (std::uint64_t i = 1; i <= 2'000; ++i)
    REQUIRE(channel.settle(i) == 0);
  CHECK(engine.work().spent() - before < 2'000 * 10);
  CHECK(channel.last_tag == 2'001);
}

TEST_CASE_FIXTURE(test::EngineFixture, "credit of a channel goes round, whatever queue has more") {
  declare("full");
  declare("other");
  TestChannel channel(engine, 1);
  channel.channel.set_channel_prefetch(1);
  channel.consume("full", "a");
  channel.consume("other", "b");
  publish_all("full", "123456");
  publish_all("other", "789");
  std::string got = channel.take();
  for (std::uint64_t i = 1; i <= 5; ++i) {
    REQUIRE(channel.settle(i) == 0);
    got += channel.take();
  }
  CHECK(got == "127384");
}

TEST_CASE_FIXTURE(test::EngineFixture, "consumers of one queue take turns with one credit") {
  declare("q");
  TestChannel channel(engine, 1);
  channel.channel.set_channel_prefetch(2);
  channel.consume("q", "a");
  channel.consume("q", "b");
  channel.consume("q", "c");
  publish_all("q", "123456789");
  // Two settled messages make room for two consumers, not twice for one.
  for (std::uint64_t i = 2; i <= 8; i += 2)
    REQUIRE(channel.settle(i, true) == 0);
  CHECK(channel.take() == "1 2 3 4 5 6 7 8 9");
  channel.channel.cancel("b");
  CHECK(channel.settle(9) == 0);
  publish_all("q", "ab");
  CHECK(channel.take() == "a b");
}

TEST_CASE_FIXTURE(test::EngineFixture, "a parked consumer that is cancelled, or loses its queue") {
  declare("q");
  declare("r");
  TestChannel channel(engine, 1);
  channel.channel.set_channel_prefetch(1);
  channel.consume("q", "a");
  channel.consume("r", "b");
  channel.consume("q", "c");
  publish_all("q", "123");
  publish_all("r", "456");
  CHECK(channel.take() == "1");
  channel.channel.cancel("a");
  std::size_t count = 0;
  REQUIRE_FALSE(engine.delete_queue("r", 0, false, false, count));
  CHECK(count == 3);
  CHECK(channel.settle(1) == 0);
  CHECK(channel.take() == "2");
  channel.channel.set_channel_prefetch(0);
  CHECK(channel.take() == "3");
}

TEST_CASE_FIXTURE(test::EngineFixture, "a single active consumer waits for the channel's credit") {
  engine::QueueDefinition wanted = definition("q");
  wanted.arguments = std::string("\x18x-single-active-consumert\x01", 27);
  engine::Queue* queue = nullptr;
  REQUIRE_FALSE(engine.declare_queue(wanted, 0, 0, queue));
  REQUIRE(queue->options().single_active_consumer);
  TestChannel channel(engine, 1);
  channel.channel.set_channel_prefetch(1);
  channel.consume("q", "a");
  publish_all("q", "123");
  CHECK(channel.take() == "1");
  CHECK(channel.settle(1) == 0);
  CHECK(channel.take() == "2");
  CHECK(channel.settle(2, false, Settlement::requeue) == 0);
  CHECK(channel.take() == "2*");
}

namespace {

// A fixture for the limit during an alarm: engine::Engine::set_unacked_max().
struct LimitedFixture : test::TurnsFixture {
  LimitedFixture() : TurnsFixture(100) {}
};

}  // namespace

TEST_CASE_FIXTURE(LimitedFixture, "a channel without prefetch has no more in hand than it may") {
  declare("q");
  TestChannel channel(engine, 1);
  channel.consume("q", "a");
  engine.set_unacked_max({.to_consumers = 4});
  publish_all("q", "123456789");
  CHECK(channel.take() == "1 2 3 4");
  CHECK(channel.settle(1) == 0);
  CHECK(channel.take().empty());
  REQUIRE_NOTHROW(engine.check_invariants());
  CHECK(channel.settle(2) == 0);
  CHECK(channel.take() == "5 6");
  CHECK(channel.settle(0, true) == 0);
  CHECK(channel.take() == "7 8 9");
  REQUIRE_NOTHROW(engine.check_invariants());
}

TEST_CASE_FIXTURE(LimitedFixture, "what was in hand before counts, and others go on") {
  declare("q");
  TestChannel channel(engine, 1);
  channel.consume("q", "a");
  publish_all("q", "123456");
  engine.set_unacked_max({.to_consumers = 2});
  publish_all("q", "7");
  CHECK(channel.take() == "1 2 3 4 5 6 7");
  publish_all("q", "89");
  CHECK(channel.take().empty());
  TestChannel other(engine, 2);
  other.channel.set_prefetch(1);
  other.consume("q", "b");
  CHECK(other.take() == "8");
  CHECK(other.settle(1) == 0);
  CHECK(other.take() == "9");
  // A consumer without acknowledgements has nothing unacked.
  TestChannel third(engine, 3);
  third.consume("q", "c", true);
  publish_all("q", "abc");
  CHECK(third.take() == "a b c");
}

TEST_CASE_FIXTURE(LimitedFixture, "those who may have more again go on in turns") {
  const engine::Queue& queue = declare("q");
  std::vector<std::unique_ptr<TestChannel>> channels;
  engine.set_unacked_max({.to_consumers = 1});
  for (engine::OwnerId i = 1; i <= 3; ++i) {
    channels.push_back(std::make_unique<TestChannel>(engine, i));
    channels.back()->consume("q", tag(static_cast<int>(i)));
  }
  publish_all("q", "12345678");
  CHECK(queue.ready_count() == 5);
  engine.set_unacked_max({.to_consumers = 2});
  channels.pop_back();  // its unacked messages come back
  finish();
  CHECK(queue.ready_count() == 4);
  engine.set_unacked_max({});
  finish();
  CHECK(queue.ready_count() == 0);
}

TEST_CASE_FIXTURE(LimitedFixture, "in a transaction what was acknowledged is still in hand") {
  declare("q");
  TestChannel channel(engine, 1);
  channel.consume("q", "a");
  engine.set_unacked_max({.to_consumers = 2, .to_gets = 2});
  publish_all("q", "1234");
  CHECK(channel.take() == "1 2");
  CHECK(channel.channel.should_put_off_get());
  REQUIRE_FALSE(channel.channel.hold(2, true, Settlement::ack));
  CHECK(channel.take().empty());
  CHECK(channel.channel.should_put_off_get());
  channel.channel.settle_held();
  CHECK(channel.take() == "3 4");
}
