// Messages that some clients cannot be sent, because the properties are larger than their frames.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::Settlement;
using test::TestChannel;

namespace {

constexpr engine::TimeMs start = 1'700'000'000'000;
constexpr std::size_t small = 1000;

std::string properties_of(std::size_t size) {
  constexpr std::size_t around = 13;  // flags, sizes of table and string, name, type
  const amqp::Table headers{{"h", std::string(size - around, 'x')}};
  std::string raw;
  REQUIRE(amqp::append_properties(raw, {.headers = headers.view()}));
  REQUIRE(raw.size() == size);
  return raw;
}

struct Fixture : test::EngineFixture {
  std::vector<std::unique_ptr<TestChannel>> channels;

  Fixture() {
    engine.set_now(start);
    engine.work().begin_turn(0);
  }
  ~Fixture() { engine.check_invariants(); }

  engine::Queue& declare_with(const amqp::Table& arguments) {
    engine::QueueDefinition wanted = definition("q");
    wanted.arguments = arguments.bytes();
    engine::Queue* queue = nullptr;
    REQUIRE_FALSE(engine.declare_queue(wanted, 0, 0, queue));
    return *queue;
  }
  TestChannel& channel(std::size_t properties_max) {
    auto& added =
        *channels.emplace_back(std::make_unique<TestChannel>(engine, channels.size() + 1));
    added.channel.set_properties_max(properties_max);
    return added;
  }
  TestChannel& consumer(std::size_t properties_max, std::uint32_t prefetch_count = 0) {
    TestChannel& added = channel(properties_max);
    added.channel.set_prefetch(prefetch_count);
    added.consume("q");
    return added;
  }
  void publish(std::string_view body, std::size_t properties_size = 16, std::uint8_t priority = 0,
               std::uint64_t ttl_ms = engine::MessageTraits::no_ttl) {
    const std::string properties = properties_of(properties_size);
    const engine::PublishResult result = engine.publish(
        {.message = {.exchange = "", .routing_key = "q", .properties = properties, .body = body},
         .traits = {.priority = priority, .ttl_ms = ttl_ms},
         .headers = {}});
    REQUIRE_FALSE(result.error);
  }
  // A client tries to get the next message, which it cannot be sent, and disconnects.
  void withhold() {
    TestChannel client(engine, 0);
    client.channel.set_properties_max(small);
    CHECK(client.get("q") == "too large");
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what a client cannot be sent waits for one who can") {
  const engine::Queue& queue = declare("q");
  TestChannel& narrow = consumer(small);
  publish("1");
  publish("large", 5000);
  publish("2");
  CHECK(narrow.take() == "1");
  CHECK(narrow.refused_size == 5000);
  CHECK(queue.ready_count() == 2);
  CHECK(queue.unacked_count() == 1);
  CHECK_NOTHROW(engine.check_invariants());
  SUBCASE("the next small one gets what is behind it") {
    TestChannel& next = consumer(4999);
    CHECK(next.take() == "2");
    CHECK(next.refused_size == 0);
    CHECK(next.get("q") == "nothing");
    CHECK(queue.ready_count() == 1);
  }
  SUBCASE("a consumer with room for it gets it first, as if nothing had been") {
    CHECK(consumer(5000).take() == "large 2");
  }
  SUBCASE("so does basic.get") {
    TestChannel& getter = channel(5000);
    CHECK(getter.get("q") == "large");
    CHECK(getter.get("q") == "2");
  }
  SUBCASE("what its channel had goes back, and counts as redelivered") {
    narrow.channel.close();
    CHECK(consumer(5000).take() == "1* large 2");
  }
}

TEST_CASE_FIXTURE(Fixture, "the rest of the line is asked at once") {
  declare("q");
  TestChannel& narrow = consumer(small);
  TestChannel& also_narrow = consumer(small);
  TestChannel& wide = consumer(5000);
  publish("large", 5000);
  CHECK(narrow.refused_size == 5000);
  CHECK(also_narrow.refused_size == 0);
  CHECK(wide.take() == "large");
  publish("next");
  CHECK(also_narrow.take() == "next");
  CHECK(narrow.take() == "");
}

TEST_CASE_FIXTURE(Fixture, "who gets credit, or acknowledges, gets what was withheld meanwhile") {
  declare("q");
  TestChannel& wide = consumer(5000, 1);
  publish("held");
  TestChannel& narrow = consumer(small);
  publish("large", 5000);
  CHECK(narrow.refused_size == 5000);
  CHECK(wide.take() == "held");
  CHECK(wide.settle(1) == 0);
  CHECK(wide.take() == "large");
}

TEST_CASE_FIXTURE(Fixture, "without acknowledgements nothing is lost") {
  const engine::Queue& queue = declare("q");
  TestChannel& narrow = channel(small);
  narrow.consume("q", "c", true);
  publish("large", 5000);
  CHECK(narrow.take() == "");
  CHECK(queue.ready_count() == 1);
  CHECK(narrow.get("q", true) == "nothing");
  CHECK(channel(5000).get("q", true) == "large");
  CHECK(queue.ready_count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "basic.get leaves it in the queue, for others") {
  const engine::Queue& queue = declare("q");
  publish("large", 5000);
  publish("next");
  TestChannel& narrow = channel(small);
  for (const bool no_ack : {true, false}) {
    CHECK(narrow.get("q", no_ack) == (no_ack ? "too large" : "next"));
    CHECK(queue.ready_count() == (no_ack ? 2 : 1));
  }
  CHECK(channel(5000).get("q") == "large");
}

TEST_CASE_FIXTURE(Fixture,
                  "withheld ones come in their order, or the smallest where one is too large") {
  declare("q");
  publish("a", 8000);
  publish("b", 5000);
  publish("c", 6000);
  for (int i = 0; i < 3; ++i)
    withhold();
  SUBCASE("for all") {
    CHECK(consumer(8000).take() == "a b c");
  }
  SUBCASE("for some") {
    CHECK(consumer(6000).take() == "b c");
    CHECK(consumer(8000).take() == "a");
  }
}

TEST_CASE_FIXTURE(Fixture, "what comes back to the queue has to fit again") {
  declare("q");
  TestChannel& wide = consumer(5000);
  publish("large", 5000);
  CHECK(wide.take() == "large");
  CHECK(wide.settle(1, false, Settlement::requeue) == 0);
  CHECK(wide.take() == "large*");
  wide.channel.close();
  withhold();
  CHECK(consumer(5000).take() == "large*");
}

TEST_CASE_FIXTURE(Fixture, "a delivery that was refused is no try") {
  declare_with({{"x-delivery-limit", 1}});
  publish("large", 5000);
  for (int i = 0; i < 3; ++i) {
    withhold();
    TestChannel wide(engine, 0);
    wide.channel.set_properties_max(5000);
    engine::GetResult result;
    REQUIRE_FALSE(wide.channel.get("q", false, result));
    CHECK(result.found);
    CHECK(result.delivery_count == static_cast<std::uint32_t>(i));
    if (i == 1) break;  // it has come back twice
  }
  CHECK(channel(5000).get("q") == "nothing");
}

TEST_CASE_FIXTURE(Fixture, "withheld messages expire") {
  const engine::Queue& queue = declare_with({{"x-max-priority", 5}});
  publish("a", 5000, 1, 100);
  publish("b", 5000, 5, 1000);
  withhold();
  withhold();
  CHECK(engine.next_deadline() == start + 100);
  engine.advance(start + 100);
  CHECK(queue.ready_count() == 1);
  CHECK(engine.next_deadline() == start + 1000);
  CHECK(channel(5000).get("q") == "b");
}

TEST_CASE_FIXTURE(Fixture,
                  "a withheld message that expired while its queue was busy is not given out") {
  declare("q");
  publish("a", 5000, 0, 100);
  publish("b", 5000);
  withhold();
  withhold();
  engine.set_now(start + 100);
  CHECK(consumer(5000).take() == "b");
}

TEST_CASE_FIXTURE(Fixture, "withheld messages are the first to be too many") {
  SUBCASE("in number") {
    declare_with({{"x-max-length", 2}});
  }
  SUBCASE("in bytes") {
    declare_with({{"x-max-length-bytes", 2}});
  }
  publish("a", 5000);
  withhold();
  publish("b");
  publish("c");
  CHECK(channel(5000).get("q") == "b");
}

TEST_CASE_FIXTURE(Fixture, "a full queue counts what it withholds") {
  declare_with({{"x-max-length", 1}, {"x-overflow", "reject-publish"}});
  publish("a", 5000);
  withhold();
  publish("b");
  CHECK(channel(small).get("q") == "nothing");
  CHECK(channel(5000).get("q") == "a");
}

TEST_CASE_FIXTURE(Fixture, "withheld messages are purged, and go with their queue") {
  engine::Queue& queue = declare("q");
  publish("a", 5000);
  publish("b");
  withhold();
  SUBCASE("purged") {
    engine::Purge purge;
    REQUIRE_FALSE(engine.purge_queue("q", 0, purge));
    CHECK(purge.message_count == 2);
    CHECK(purge.is_done);
    CHECK(queue.ready_count() == 0);
  }
  SUBCASE("deleted") {
    std::size_t count = 0;
    REQUIRE_FALSE(engine.delete_queue("q", 0, false, false, count));
    CHECK(count == 2);
  }
  CHECK(engine.memory_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a single active consumer that is refused makes way when it is gone") {
  declare_with({{"x-single-active-consumer", true}});
  TestChannel& active = consumer(small);
  TestChannel& second = consumer(small);
  TestChannel& third = consumer(5000);
  publish("large", 5000);
  publish("next");
  CHECK(active.refused_size == 5000);
  CHECK(second.take() == "");
  active.channel.close();
  CHECK(second.take() == "next");
  second.channel.close();
  CHECK(third.take() == "large next*");
}

TEST_CASE_FIXTURE(Fixture, "what is withheld keeps its place and its priority") {
  declare_with({{"x-max-priority", 5}});
  publish("low", 5000, 1);
  withhold();
  publish("high", 5000, 4);
  withhold();
  publish("between", 16, 3);
  publish("other", 16, 1);
  CHECK(consumer(5000).take() == "high between low other");
}

TEST_CASE_FIXTURE(Fixture, "while messages come back nothing that is withheld is given out") {
  declare("q");
  TestChannel& getter = channel(5000);
  for (int i = 0; i < 3000; ++i) {
    publish("m");
    getter.get("q");
  }
  publish("large", 5000);
  withhold();
  getter.channel.requeue_all();  // this takes turns
  TestChannel& wide = consumer(5000);
  CHECK(wide.take() == "");
  while (engine.next_deadline() <= start)
    engine.advance(start);
  CHECK(wide.take().ends_with("m* large"));
}

TEST_CASE_FIXTURE(Fixture,
                  "a long line of small clients costs no more than a look at some of them") {
  declare("q");
  for (int i = 0; i < 20'000; ++i)
    consumer(small);
  TestChannel& wide = channel(5000);
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t before = engine.work().spent();
    publish("large", 5000);
    CHECK(engine.work().spent() - before < 200);
  }
  CHECK(wide.get("q") == "large");
  wide.consume("q");
  std::size_t count = 0;
  for (const char letter : wide.take())
    count += letter == 'l' ? 1 : 0;
  CHECK(count == 99);
}

TEST_CASE_FIXTURE(Fixture, "a reply that its client cannot be sent is dropped") {
  TestChannel& narrow = channel(small);
  REQUIRE_FALSE(narrow.channel.consume_replies({.tag = "r", .no_ack = true}, "reply"));
  const auto reply = [&](std::size_t size) {
    const std::string properties = properties_of(size);
    return engine
        .publish({.message = {.exchange = "",
                              .routing_key = "reply",
                              .properties = properties,
                              .body = "b"},
                  .traits = {},
                  .headers = {}})
        .queue_count;
  };
  CHECK(reply(5000) == 0);
  CHECK(reply(small) == 1);
  CHECK(narrow.take() == "b");
}

TEST_CASE_FIXTURE(Fixture, "very many that are refused at once take turns") {
  const engine::Queue& queue = declare("q");
  constexpr std::size_t count = 3000;
  TestChannel& getter = channel(5000);
  for (std::size_t i = 0; i < count; ++i) {
    publish("m");
    getter.get("q");
  }
  getter.channel.requeue_all();  // this takes turns, in which the queue delivers nothing
  for (std::size_t i = 0; i < count; ++i) {
    publish("large", 5000);
    consumer(small);
  }
  while (engine.next_deadline() <= start) {
    const std::uint64_t before = engine.work().spent();
    engine.work().begin_turn(0);
    engine.advance(start);
    CHECK(engine.work().spent() - before < 25'000);
  }
  CHECK(queue.ready_count() == count);
  CHECK(channel(small).get("q") == "nothing");
  for (const auto& each : channels)
    CHECK((each->refused_size == 5000 || each->channel.properties_max() == 5000 ||
           each == channels.back()));
}
