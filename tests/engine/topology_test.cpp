#include <doctest/doctest.h>

#include <haypile/amqp/table.hpp>

#include "engine/restore.hpp"
#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::ExchangeType;
using Fixture = test::EngineFixture;

TEST_CASE_FIXTURE(Fixture, "the default exchange knows every queue by its name") {
  declare("q");
  CHECK(publish("", "q") == 1);
  CHECK(publish("", "p") == 0);
}

TEST_CASE_FIXTURE(Fixture, "direct, fanout and topic") {
  for (const char* name : {"a", "b"})
    declare(name);
  bind("amq.direct", "a", "x");
  bind("amq.direct", "b", "x");
  bind("amq.direct", "b", "y");
  CHECK(publish("amq.direct", "x") == 2);
  CHECK(publish("amq.direct", "y") == 1);
  CHECK(publish("amq.direct", "z") == 0);
  bind("amq.fanout", "a", "whatever");
  CHECK(publish("amq.fanout", "z") == 1);
  bind("amq.topic", "a", "jobs.*.eu");
  bind("amq.topic", "b", "jobs.#");
  CHECK(publish("amq.topic", "jobs.images.eu") == 2);
  CHECK(publish("amq.topic", "jobs") == 1);
  CHECK(publish("amq.topic", "jobs.a.b.c") == 1);
  CHECK(publish("amq.topic", "other") == 0);
}

TEST_CASE_FIXTURE(Fixture, "topic patterns") {
  struct Case {
    const char* pattern;
    const char* key;
    bool matches;
  };
  for (const Case& c :
       {Case{"#", "", true}, Case{"#", "a.b", true}, Case{"*", "a", true}, Case{"*", "a.b", false},
        Case{"a.#.b", "a.b", true}, Case{"a.#.b", "a.x.y.b", true}, Case{"a.#.b", "a.x.y", false},
        Case{"#.#", "a", true}, Case{"*.#", "", false}, Case{"a.*", "a.", true},
        Case{"a..b", "a..b", true}, Case{"a.*.b", "a..b", true}, Case{"#.b.#.b", "a.b.c.b", true},
        Case{"#.b.#.b", "a.b", false}, Case{"a*", "ab", false}}) {
    Fixture fixture;
    fixture.declare("q");
    fixture.bind("amq.topic", "q", c.pattern);
    INFO(c.pattern, " and ", c.key);
    CHECK((fixture.publish("amq.topic", c.key) == 1) == c.matches);
  }
}

TEST_CASE_FIXTURE(Fixture, "headers: all, any, and values of any width") {
  for (const char* name : {"all", "any", "there"})
    declare(name);
  const amqp::Table all{{"x-match", "all"}, {"n", 1}, {"s", "t"}};
  const amqp::Table any{{"x-match", "any"}, {"n", std::int64_t{1}}, {"s", "t"}};
  const amqp::Table there{{"n", nullptr}};
  bind("amq.headers", "all", "", std::string(all.bytes()));
  bind("amq.headers", "any", "", std::string(any.bytes()));
  bind("amq.headers", "there", "", std::string(there.bytes()));
  const auto count = [&](const amqp::Table& headers) {
    return publish("amq.headers", "", "m", headers.bytes());
  };
  CHECK(count({{"n", 1}, {"s", "t"}, {"more", true}}) == 3);
  CHECK(count({{"n", std::int64_t{1}}}) == 2);
  CHECK(count({{"s", "t"}}) == 1);
  CHECK(count({{"n", 2}}) == 1);
  CHECK(count({}) == 0);
}

TEST_CASE_FIXTURE(Fixture, "through exchanges, around a circle, one copy each") {
  exchange("a", ExchangeType::fanout);
  exchange("b", ExchangeType::fanout);
  declare("q");
  declare("r");
  bind_exchange("a", "b");
  bind_exchange("b", "a");
  bind("a", "q", "one");
  bind("a", "q", "two");
  bind("b", "q", "three");
  bind("b", "r", "");
  CHECK(publish("a", "x") == 2);
  CHECK(publish("b", "x") == 2);
}

TEST_CASE_FIXTURE(Fixture, "unbinding, and binding twice") {
  declare("q");
  bind("amq.direct", "q", "k");
  bind("amq.direct", "q", "k");
  CHECK(publish("amq.direct", "k") == 1);
  const engine::BindingDefinition binding{"amq.direct", engine::DestinationKind::queue, "q", "k",
                                          ""};
  CHECK_FALSE(engine.unbind(binding, 0));
  CHECK(publish("amq.direct", "k") == 0);
  CHECK_FALSE(engine.unbind(binding, 0));
}

TEST_CASE_FIXTURE(Fixture, "what an existing thing is declared as has to fit") {
  declare("q", true);
  engine::Queue* queue = nullptr;
  const engine::Error error = engine.declare_queue(definition("q", false), 0, 0, queue);
  CHECK(static_cast<int>(error.code) == 406);
  CHECK(error.text ==
        "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is "
        "'true'");
  CHECK(static_cast<int>(engine.declare_queue(definition("q", true, true), 0, 0, queue).code) ==
        406);
  CHECK(static_cast<int>(engine.declare_queue(definition("q", true), 1, 1, queue).code) == 406);
  CHECK_FALSE(engine.declare_queue(definition("q", true), 0, 0, queue));
  exchange("e", ExchangeType::direct);
  CHECK(static_cast<int>(
            engine.declare_exchange({"e", ExchangeType::topic, false, false, false, ""}).code) ==
        406);
  CHECK(static_cast<int>(
            engine.declare_exchange({"amq.direct", ExchangeType::topic, true, false, false, ""})
                .code) == 406);
  CHECK_FALSE(
      engine.declare_exchange({"amq.direct", ExchangeType::direct, true, false, false, ""}));
}

TEST_CASE_FIXTURE(Fixture, "deleting: missing, in use, not empty, with consumers told") {
  std::size_t count = 7;
  CHECK_FALSE(engine.delete_queue("absent", 0, false, false, count));
  CHECK(count == 0);
  declare("q");
  publish("", "q");
  publish("", "q");
  test::TestChannel channel(engine, 1);
  channel.channel.set_prefetch(1);
  channel.consume("q", "c");
  CHECK(static_cast<int>(engine.delete_queue("q", 0, true, false, count).code) == 406);
  CHECK(static_cast<int>(engine.delete_queue("q", 0, false, true, count).code) == 406);
  CHECK_FALSE(engine.delete_queue("q", 0, false, false, count));
  CHECK(count == 1);
  CHECK(channel.cancelled == "c");
  CHECK(engine.queue_count() == 0);
  // What was delivered can still be settled, without an effect.
  CHECK(channel.settle(1, false, engine::Settlement::requeue) == 0);
  engine::Purge purge;
  CHECK(static_cast<int>(engine.purge_queue("q", 0, purge).code) == 404);
}

TEST_CASE_FIXTURE(Fixture, "purging leaves what is unacked") {
  engine::Queue& queue = declare("q");
  test::TestChannel channel(engine, 1);
  publish_all("q", "123");
  CHECK(channel.get("q") == "1");
  engine::Purge purge;
  CHECK_FALSE(engine.purge_queue("q", 0, purge));
  CHECK(purge.is_done);
  CHECK(purge.message_count == 2);
  CHECK(queue.unacked_count() == 1);
  channel.channel.requeue_all();
  CHECK(channel.get("q") == "1*");
}

TEST_CASE_FIXTURE(Fixture, "purging many goes on in another turn, and leaves what has come since") {
  engine::Queue& queue = declare("q");
  test::TestChannel channel(engine, 1);
  const std::size_t count = 2 * engine::WorkBudget::units_per_turn;
  for (std::size_t i = 0; i < count; ++i)
    publish("", "q", "old");
  engine::Purge purge;
  std::size_t calls = 0;
  for (; !purge.is_done; ++calls) {
    REQUIRE_FALSE(engine.purge_queue("q", 0, purge));
    if (calls == 0) publish_all("q", "n");
  }
  CHECK(calls > 1);
  CHECK(purge.message_count == count);
  CHECK(queue.ready_count() == 1);
  CHECK(channel.get("q") == "n");
}

TEST_CASE_FIXTURE(Fixture, "auto-delete: with the last consumer, not before the first") {
  declare("q", false, true);
  CHECK(engine.queue_count() == 1);
  {
    test::TestChannel a(engine, 1);
    test::TestChannel b(engine, 2);
    a.consume("q");
    b.consume("q");
    a.channel.cancel("c");
    CHECK(engine.queue_count() == 1);
  }
  CHECK(engine.queue_count() == 0);
  exchange("e", ExchangeType::fanout, true);
  declare("r");
  bind("e", "r", "");
  std::size_t count = 0;
  CHECK_FALSE(engine.delete_queue("r", 0, false, false, count));
  CHECK(static_cast<int>(engine.check_exchange("e").code) == 404);
}

TEST_CASE_FIXTURE(Fixture, "an exclusive queue is for its connection, and goes with it") {
  declare("mine", true, false, 1);
  engine::Queue* queue = nullptr;
  CHECK(static_cast<int>(engine.find_queue("mine", 2, queue).code) == 405);
  CHECK(static_cast<int>(engine.declare_queue(definition("mine", true), 2, 2, queue).code) == 405);
  CHECK_FALSE(engine.find_queue("mine", 1, queue));
  CHECK(journal.end() == 0);  // nothing is durable
  engine.connection_closed(2);
  CHECK(engine.queue_count() == 1);
  engine.connection_closed(1);
  CHECK(engine.queue_count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "the journal hears of durable things only, once a message") {
  declare("durable", true);
  declare("also", true);
  declare("transient");
  CHECK(journal.end() == 2);
  for (const char* queue : {"durable", "also", "transient"})
    bind("amq.fanout", queue, "");
  CHECK(journal.end() == 4);
  publish("amq.fanout", "", "m", {}, true);
  CHECK(journal.end() == 5);
  publish("amq.fanout", "", "m", {}, false);
  publish("", "transient", "m", {}, true);
  CHECK(journal.end() == 5);
  test::TestChannel channel(engine, 1);
  channel.get("durable", true);
  CHECK(journal.end() == 6);
  channel.get("transient", true);
  channel.get("durable", true);  // the transient message
  CHECK(journal.end() == 6);
}

TEST_CASE_FIXTURE(Fixture, "what recovery finds is there again") {
  engine::Restore restore(engine);
  restore.exchange({"e", ExchangeType::direct, true, false, false, ""});
  engine::QueueDefinition queue = definition("q", true);
  queue.id = 5;
  restore.queue(queue, 0);
  restore.binding({"e", engine::DestinationKind::queue, "q", "k", ""});
  const engine::RecoveredRef fresh[] = {{.queue = 5}};
  const engine::RecoveredRef delivered[] = {{.queue = 5, .redelivered = true}};
  const auto message = [](std::string_view body) {
    return engine::MessageView{.exchange = "e", .routing_key = "k", .properties = {}, .body = body};
  };
  restore.message(10, message("one"), delivered);
  restore.message(20, message("two"), fresh);
  CHECK(journal.end() == 0);
  CHECK(publish("e", "k", "three") == 1);
  test::TestChannel channel(engine, 1);
  CHECK(channel.get("q") == "one*");
  CHECK(channel.get("q") == "two");
  CHECK(channel.get("q") == "three");
  CHECK(channel.settle(1) == 0);
  CHECK(journal.end() == 1);
}
