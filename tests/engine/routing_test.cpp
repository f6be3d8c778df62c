// Which queues a message comes to: by several keys, through exchanges, and by alternate exchanges.
#include <doctest/doctest.h>

#include <haypile/amqp/table.hpp>

#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::DestinationKind;
using engine::ExchangeType;

namespace {

struct Fixture : test::EngineFixture {
  // Declares an exchange with this alternate exchange.
  void with_alternate(const std::string& name, const std::string& alternate,
                      ExchangeType type = ExchangeType::direct, bool internal = false) {
    const amqp::Table arguments{{"alternate-exchange", alternate}};
    REQUIRE_FALSE(engine.declare_exchange(
        {name, type, false, false, internal, std::string(arguments.bytes())}));
  }
  std::size_t publish_keys(std::string_view exchange, std::string_view key,
                           const std::vector<std::string_view>& more_keys,
                           std::string_view headers = {}) {
    const engine::PublishResult result = engine.publish(
        {.message = {.exchange = exchange, .routing_key = key, .properties = {}, .body = "m"},
         .traits = {},
         .headers = headers,
         .more_keys = more_keys});
    REQUIRE_FALSE(result.error);
    return result.queue_count;
  }
  // Empties the queue and returns how many messages it had.
  std::size_t drain(const std::string& queue) {
    engine::Purge purge;
    REQUIRE_FALSE(engine.purge_queue(queue, 0, purge));
    return purge.message_count;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "the alternate exchange gets what no binding matches") {
  exchange("alt", ExchangeType::fanout);
  for (const char* queue : {"bound", "strays"})
    declare(queue);
  bind("alt", "strays", "");
  const amqp::Table nothing_matches{{"x-match", "all"}, {"n", 1}};
  for (const ExchangeType type :
       {ExchangeType::direct, ExchangeType::topic, ExchangeType::headers, ExchangeType::fanout}) {
    const std::string name = "e" + std::to_string(static_cast<int>(type));
    INFO(name);
    with_alternate(name, "alt", type);
    CHECK(publish(name, "other") == 1);
    CHECK(drain("strays") == 1);
    bind(name, "bound", "k",
         type == ExchangeType::headers ? std::string(nothing_matches.bytes()) : "");
    // A fanout exchange ignores keys.
    CHECK(publish(name, "other") == 1);
    CHECK(drain("strays") == (type == ExchangeType::fanout ? 0 : 1));
  }
}

TEST_CASE_FIXTURE(Fixture, "alternate exchanges in a chain, and in a circle") {
  with_alternate("a", "b");
  with_alternate("b", "c");
  with_alternate("c", "a");
  CHECK(publish("a", "k") == 0);
  declare("q");
  bind("c", "q", "k");
  CHECK(publish("a", "k") == 1);
  CHECK(publish("b", "k") == 1);
  CHECK(publish("a", "other") == 0);
  // The first exchange that has a binding for the key keeps the message.
  declare("r");
  bind("b", "r", "k");
  CHECK(publish("a", "k") == 1);
  CHECK(drain("r") == 1);
  CHECK(drain("q") == 2);
  with_alternate("self", "self");
  CHECK(publish("self", "k") == 0);
}

TEST_CASE_FIXTURE(Fixture, "an alternate exchange is looked for when it is needed") {
  with_alternate("e", "later");
  CHECK(publish("e", "k") == 0);
  exchange("later", ExchangeType::fanout);
  declare("q");
  bind("later", "q", "");
  CHECK(publish("e", "k") == 1);
  delete_exchange("later");
  CHECK(publish("e", "k") == 0);
}

TEST_CASE_FIXTURE(Fixture, "an exchange that was published to is gone when it is deleted") {
  exchange("e", ExchangeType::direct);
  declare("q");
  bind("e", "q", "k");
  CHECK(publish("e", "k") == 1);
  delete_exchange("e");
  const engine::PublishResult result = engine.publish(
      {.message = {.exchange = "e", .routing_key = "k", .properties = {}, .body = "m"},
       .traits = {},
       .headers = {}});
  CHECK(static_cast<int>(result.error.code) == 404);
  exchange("e", ExchangeType::fanout);
  CHECK(publish("e", "k") == 0);
}

TEST_CASE_FIXTURE(Fixture, "an internal exchange serves as an alternate one") {
  REQUIRE_FALSE(engine.declare_exchange({"inside", ExchangeType::fanout, false, false, true, ""}));
  with_alternate("e", "inside");
  declare("q");
  bind("inside", "q", "");
  CHECK(publish("e", "k") == 1);
  CHECK(static_cast<int>(engine.check_publish("inside").code) == 403);
}

TEST_CASE_FIXTURE(Fixture,
                  "what has matched does not go to the alternate, though it leads nowhere") {
  exchange("alt", ExchangeType::fanout);
  declare("strays");
  bind("alt", "strays", "");
  with_alternate("e", "alt");
  exchange("nowhere", ExchangeType::direct);
  bind_exchange("e", "nowhere", "k");
  CHECK(publish("e", "k") == 0);
  CHECK(publish("e", "other") == 1);
  // An alternate exchange that the message has already passed gets nothing.
  bind_exchange("nowhere", "e", "k");
  CHECK(publish("e", "k") == 0);
}

TEST_CASE_FIXTURE(Fixture, "each exchange on the way has its own alternate") {
  exchange("alt", ExchangeType::fanout);
  declare("strays");
  bind("alt", "strays", "");
  exchange("e", ExchangeType::fanout);
  with_alternate("one", "alt");
  with_alternate("two", "alt");
  bind_exchange("e", "one");
  bind_exchange("e", "two");
  declare("q");
  bind("e", "q", "");
  CHECK(publish("e", "k") == 2);
  CHECK(drain("strays") == 1);
  CHECK(drain("q") == 1);
}

TEST_CASE_FIXTURE(Fixture, "by several keys, each queue once") {
  for (const char* queue : {"a", "b", "c"})
    declare(queue);
  CHECK(publish_keys("", "a", {"b", "a", "b", "none"}) == 2);
  CHECK(publish_keys("", "none", {"c"}) == 1);
  for (const char* queue : {"a", "b", "c"})
    CHECK(drain(queue) == 1);

  bind("amq.direct", "a", "x");
  bind("amq.direct", "a", "y");
  bind("amq.direct", "b", "y");
  CHECK(publish_keys("amq.direct", "x", {"y", "z", "x"}) == 2);
  CHECK(publish_keys("amq.direct", "z", {"z", "y"}) == 2);
  CHECK(drain("a") == 2);

  bind("amq.topic", "a", "x.#");
  bind("amq.topic", "a", "*.y");
  bind("amq.topic", "b", "z");
  CHECK(publish_keys("amq.topic", "x.y", {"x", "z", "x.y"}) == 2);
  CHECK(drain("a") == 1);

  bind("amq.fanout", "a", "");
  CHECK(publish_keys("amq.fanout", "x", {"y", "z"}) == 1);

  const amqp::Table arguments{{"n", 1}};
  bind("amq.headers", "c", "", std::string(arguments.bytes()));
  CHECK(publish_keys("amq.headers", "x", {"y"}, arguments.bytes()) == 1);
  CHECK(publish_keys("amq.headers", "x", {"y"}) == 0);
  CHECK(drain("c") == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "every exchange on the way goes by all keys; one match keeps the alternate out") {
  with_alternate("e", "alt", ExchangeType::topic);
  exchange("alt", ExchangeType::fanout);
  exchange("second", ExchangeType::direct);
  for (const char* queue : {"q", "strays"})
    declare(queue);
  bind("alt", "strays", "");
  bind_exchange("e", "second", "a.*");
  bind("second", "q", "other");
  CHECK(publish_keys("e", "a.b", {"other"}) == 1);
  CHECK(drain("q") == 1);
  CHECK(publish_keys("e", "none", {"nor.this"}) == 1);
  CHECK(drain("strays") == 1);
}

TEST_CASE_FIXTURE(Fixture, "exchanges bound in circles are passed once") {
  const int count = 5;
  const auto name = [](int i) { return "e" + std::to_string(i % count); };
  for (int i = 0; i < count; ++i)
    exchange(name(i), i % 2 == 0 ? ExchangeType::fanout : ExchangeType::topic);
  for (int i = 0; i < count; ++i) {
    bind_exchange(name(i), name(i + 1), "#");
    bind_exchange(name(i + 1), name(i), "#");
    bind_exchange(name(i), name(i), "#");
    declare("q" + std::to_string(i));
    bind(name(i), "q" + std::to_string(i), "#");
    bind(name(i), "q0", "k");
  }
  for (int i = 0; i < count; ++i)
    CHECK(publish(name(i), "k") == count);
  CHECK(drain("q0") == count);
  delete_exchange(name(2));
  CHECK(publish(name(1), "k") == count - 1);
}

TEST_CASE_FIXTURE(Fixture, "a binding is the same whatever the order of its arguments") {
  declare("q");
  const amqp::Table forth{{"a", 1}, {"b", "two"}};
  const amqp::Table back{{"b", "two"}, {"a", 1}};
  const amqp::Table less{{"a", 1}};
  REQUIRE(forth.bytes() != back.bytes());
  CHECK(reader.in_order(forth.bytes()) == reader.in_order(back.bytes()));
  CHECK(reader.in_order(forth.bytes()) != reader.in_order(less.bytes()));
  const auto binding = [](const amqp::Table& arguments) {
    return engine::BindingDefinition{"amq.direct", DestinationKind::queue, "q", "k",
                                     std::string(arguments.bytes())};
  };
  REQUIRE_FALSE(engine.bind(binding(forth), 0));
  REQUIRE_FALSE(engine.bind(binding(back), 0));
  REQUIRE_FALSE(engine.bind(binding(less), 0));
  REQUIRE_FALSE(engine.unbind(binding(back), 0));
  CHECK(publish("amq.direct", "k") == 1);  // by `less`
  REQUIRE_FALSE(engine.unbind(binding(less), 0));
  CHECK(publish("amq.direct", "k") == 0);
}

TEST_CASE_FIXTURE(Fixture, "what is not bound can be unbound, and so can what is not there") {
  declare("mine", false, false, 1);
  const engine::BindingDefinition binding{"amq.direct", DestinationKind::queue, "mine", "k", ""};
  CHECK_FALSE(engine.unbind(binding, 2));
  CHECK_FALSE(engine.unbind(binding, 1));
  REQUIRE_FALSE(engine.bind(binding, 1));
  CHECK(static_cast<int>(engine.unbind(binding, 2).code) == 405);
  CHECK(static_cast<int>(engine.bind(binding, 2).code) == 405);
  CHECK_FALSE(engine.unbind(binding, 1));
  CHECK_FALSE(engine.unbind(binding, 2));
  CHECK(static_cast<int>(
            engine.unbind({"amq.direct", DestinationKind::queue, "none", "k", ""}, 1).code) == 0);
  CHECK(static_cast<int>(
            engine.unbind({"none", DestinationKind::queue, "mine", "k", ""}, 1).code) == 0);
}
