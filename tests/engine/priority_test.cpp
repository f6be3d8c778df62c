// x-max-priority, consumer priorities, single active consumer.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include <haypile/amqp/table.hpp>

#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::Settlement;
using test::TestChannel;

namespace {
struct Fixture : test::EngineFixture {
  std::vector<std::unique_ptr<TestChannel>> channels;
  TestChannel& channel() {
    return *channels.emplace_back(std::make_unique<TestChannel>(engine, channels.size() + 1));
  }
  void declare_with(const std::string& name, const amqp::Table& arguments) {
    engine::QueueDefinition wanted = definition(name);
    wanted.arguments = arguments.bytes();
    engine::Queue* queue = nullptr;
    REQUIRE_FALSE(engine.declare_queue(wanted, 0, 0, queue));
  }
  void publish_with(std::string_view body, std::uint8_t priority) {
    static_cast<void>(engine.publish(
        {.message = {.exchange = {}, .routing_key = "q", .properties = {}, .body = body},
         .traits = {.priority = priority},
         .headers = {}}));
  }
  TestChannel& consumer(std::int64_t priority, std::uint32_t prefetch_count = 0) {
    TestChannel& added = channel();
    added.channel.set_prefetch(prefetch_count);
    REQUIRE_FALSE(added.channel.consume("q", {.tag = "c", .priority = priority}));
    added.channel.start_consumer("c");
    return added;
  }
};
}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "higher priorities first, in order within one, more than the maximum as it") {
  declare_with("q", {{"x-max-priority", 10}});
  publish_with("a0", 0);
  publish_with("b200", 200);
  publish_with("c3", 3);
  publish_with("d10", 10);
  publish_with("e3", 3);
  publish_with("f0", 0);
  CHECK(consumer(0).take() == "b200 d10 c3 e3 a0 f0");
}

TEST_CASE_FIXTURE(Fixture, "what comes back goes to its place in its level") {
  declare_with("q", {{"x-max-priority", 255}});
  publish_with("low", 1);
  publish_with("high1", 254);
  publish_with("high2", 254);
  TestChannel& getter = channel();
  CHECK(getter.get("q") == "high1");
  CHECK(getter.get("q") == "high2");
  CHECK(getter.get("q") == "low");
  publish_with("high3", 254);
  publish_with("top", 255);
  getter.channel.requeue_all();
  CHECK(consumer(0).take() == "top high1* high2* high3 low*");
}

TEST_CASE_FIXTURE(Fixture, "a queue without priorities keeps the order of publishing") {
  declare("q");
  publish_with("a", 0);
  publish_with("b", 9);
  CHECK(consumer(0).take() == "a b");
}

TEST_CASE_FIXTURE(Fixture, "the consumer with the highest priority gets all it has credit for") {
  declare("q");
  TestChannel& low = consumer(-5);
  TestChannel& high = consumer(10, 2);
  TestChannel& other_high = consumer(10, 1);
  publish_all("q", "12345");
  CHECK(high.take() == "1 3");
  CHECK(other_high.take() == "2");
  CHECK(low.take() == "4 5");
  CHECK(high.settle(1) == 0);
  publish_all("q", "67");
  CHECK(high.take() == "6");
  CHECK(low.take() == "7");
}

TEST_CASE_FIXTURE(Fixture, "a single active consumer gets all, until it is gone") {
  declare_with("q", {{"x-single-active-consumer", true}});
  TestChannel& first = consumer(0, 2);
  TestChannel& second = consumer(0);
  TestChannel& third = consumer(0);
  publish_all("q", "123");
  CHECK(first.take() == "1 2");
  CHECK(second.take() == "");
  CHECK(first.settle(1) == 0);
  CHECK(first.take() == "3");
  publish_all("q", "4");
  first.channel.cancel("c");
  CHECK(second.take() == "4");
  first.channel.close();
  CHECK(second.take() == "2* 3*");
  CHECK(third.take() == "");
  second.channel.close();
  CHECK(third.take() == "2* 3* 4*");
}

TEST_CASE_FIXTURE(Fixture, "no exclusive consumer where there is a single active one") {
  declare_with("q", {{"x-single-active-consumer", true}});
  const engine::Error error = channel().channel.consume("q", {.tag = "c", .exclusive = true});
  CHECK(error.code == engine::ErrorCode::access_refused);
}
