// Queues and exchanges with many bindings are deleted at once, and their bindings in turns that
// nobody sees.
#include <doctest/doctest.h>

#include <haypile/amqp/table.hpp>

#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::DestinationKind;
using engine::ErrorCode;
using engine::ExchangeType;

namespace {

constexpr int many = 20'000;

struct Fixture : test::TurnsFixture {
  Fixture() : TurnsFixture(1'000) {}

  static std::string key(int i) { return "k." + std::to_string(i); }
  void bind_many(const std::string& source, const std::string& queue) {
    for (int i = 0; i < many; ++i)
      bind(source, queue, key(i));
  }
  void durable_exchange(const std::string& name, bool auto_delete = false) {
    REQUIRE_FALSE(
        engine.declare_exchange({name, ExchangeType::direct, true, auto_delete, false, ""}));
  }
  bool has_exchange(const std::string& name) { return !engine.check_exchange(name); }
  void check_short(const auto& call) { CHECK(spent_on(call) < call_units_max); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a queue of many bindings is deleted at once, and unbound in turns") {
  exchange("direct", ExchangeType::direct);
  exchange("fanout", ExchangeType::fanout);
  exchange("topic", ExchangeType::topic);
  exchange("headers", ExchangeType::headers);
  declare("other");
  for (const char* source : {"direct", "topic", "headers", "fanout"}) {
    bind(source, "other", key(many - 1));
    const std::size_t memory = engine.definition_bytes();
    declare("q");
    bind_many(source, "q");
    const std::size_t bound = engine.definition_bytes();
    check_short([&] { delete_queue("q"); });
    CHECK(engine.queue_count() == 1);
    CHECK(engine.definition_bytes() > memory + (bound - memory) / 2);
    for (const int i : {0, many / 2, many - 2})
      CHECK(publish(source, key(i)) == (source[0] == 'd' || source[0] == 't' ? 0 : 1));
    CHECK(publish(source, key(many - 1)) == 1);
    CHECK(finish() > 1);
    CHECK(publish(source, key(many - 1)) == 1);
    CHECK(engine.definition_bytes() < memory + (bound - memory) / 2);
  }
}

TEST_CASE_FIXTURE(Fixture, "what is bound to deleted queues alone goes to the alternate exchange") {
  const amqp::Table arguments{{"alternate-exchange", "amq.fanout"}};
  for (const ExchangeType type :
       {ExchangeType::direct, ExchangeType::fanout, ExchangeType::topic, ExchangeType::headers}) {
    const std::string name = "x" + std::to_string(static_cast<int>(type));
    REQUIRE_FALSE(
        engine.declare_exchange({name, type, false, false, false, std::string(arguments.bytes())}));
    declare("q");
    declare("alternate");
    bind("amq.fanout", "alternate", "");
    bind_many(name, "q");
    delete_queue("alternate");
    CHECK(publish(name, key(1)) == 1);
    declare("alternate");
    bind("amq.fanout", "alternate", "");
    delete_queue("q");
    REQUIRE(has_work());
    CHECK(publish(name, key(1)) == 1);
    engine::Queue* alternate = nullptr;
    REQUIRE_FALSE(engine.find_queue("alternate", 0, alternate));
    CHECK(alternate->ready_count() == 1);
    finish();
    CHECK(publish(name, key(1)) == 1);
    delete_queue("alternate");
  }
}

TEST_CASE_FIXTURE(Fixture, "a new queue of the name has no bindings but its own") {
  declare("q", true);
  durable_exchange("x");
  bind_many("x", "q");
  delete_queue("q");
  engine::Queue& queue = declare("q", true);
  REQUIRE(has_work());
  const auto publish_all = [&] {
    std::size_t count = 0;
    for (int i = 0; i < many; ++i)
      count += publish("x", key(i));
    return count;
  };
  CHECK(publish_all() == 0);
  // There is nothing to unbind, and no binding is reported.
  const engine::LogPosition end = journal.end();
  REQUIRE_FALSE(engine.unbind({"x", DestinationKind::queue, "q", key(0), ""}, 0));
  CHECK(journal.end() == end);
  for (const int i : {0, many / 2, many - 1})
    bind("x", "q", key(i));
  CHECK(journal.end() == end + 3);
  CHECK(publish_all() == 3);
  finish();
  CHECK(publish_all() == 3);
  REQUIRE_FALSE(engine.unbind({"x", DestinationKind::queue, "q", key(0), ""}, 0));
  CHECK(publish_all() == 2);
  CHECK(queue.ready_count() == 8);
  CHECK(journal.released_bindings == many);
}

TEST_CASE_FIXTURE(Fixture,
                  "an exchange of many bindings is deleted at once, and unbound in turns") {
  exchange("x", ExchangeType::topic);
  exchange("source", ExchangeType::direct);
  declare("q");
  const std::size_t memory = engine.definition_bytes();
  bind_many("x", "q");
  for (int i = 0; i < many; ++i)
    bind_exchange("source", "x", key(i));
  const std::size_t bound = engine.definition_bytes();
  CHECK(publish("source", key(1)) == 1);
  check_short([&] { delete_exchange("x"); });
  CHECK_FALSE(has_exchange("x"));
  CHECK(publish("source", key(1)) == 0);
  // A new exchange has the same name, and bindings that the old one had.
  exchange("x", ExchangeType::fanout);
  CHECK(publish("x", key(1)) == 0);
  CHECK(publish("source", key(1)) == 0);
  bind_exchange("source", "x", key(1));
  bind("x", "q", key(1));
  CHECK(publish("source", key(1)) == 1);
  CHECK(publish("source", key(2)) == 0);
  SUBCASE("in turns") {
    CHECK(finish() > 1);
    CHECK(publish("source", key(1)) == 1);
    CHECK(publish("source", key(2)) == 0);
  }
  SUBCASE("the queue goes meanwhile") {
    turn();
    check_short([&] { delete_queue("q"); });
    check_short([&] { delete_exchange("x"); });
    check_short([&] { delete_exchange("source"); });
    CHECK(finish() > 1);
    CHECK(engine.definition_bytes() < memory);
  }
  CHECK(engine.definition_bytes() < memory + (bound - memory) / 10);
}

TEST_CASE_FIXTURE(Fixture, "what is bound to deleted queues alone is unused") {
  exchange("x", ExchangeType::direct);
  declare("q");
  declare("other");
  bind_many("x", "q");
  bool is_done = false;
  CHECK(engine.delete_exchange("x", true, is_done).code == ErrorCode::precondition_failed);
  delete_queue("q");
  REQUIRE(has_work());
  const auto delete_unused = [&] {
    is_done = false;
    for (int calls = 0; !is_done; ++calls) {
      REQUIRE(calls < many);
      check_short([&] { CHECK_FALSE(engine.delete_exchange("x", true, is_done)); });
      if (calls == 0) CHECK_FALSE(is_done);
    }
  };
  SUBCASE("nothing else is bound to it") {
    delete_unused();
    CHECK_FALSE(has_exchange("x"));
  }
  SUBCASE("something else is") {
    bind("x", "other", "k");
    is_done = false;
    int code = 0;
    for (int calls = 0; !is_done && calls < many; ++calls) {
      check_short(
          [&] { code = static_cast<int>(engine.delete_exchange("x", true, is_done).code); });
    }
    CHECK(code == 406);
    CHECK(publish("x", "k") == 1);
  }
  finish();
}

TEST_CASE_FIXTURE(Fixture, "exchanges that delete themselves go with their last binding") {
  SUBCASE("of few bindings at once, whatever else goes on") {
    declare("long");
    bind_many("amq.direct", "long");
    delete_queue("long");
    REQUIRE(has_work());
    exchange("a", ExchangeType::fanout, true);
    exchange("b", ExchangeType::fanout, true);
    declare("q");
    bind_exchange("a", "b");
    bind("b", "q", "");
    SUBCASE("a queue is deleted") {
      delete_queue("q");
    }
    SUBCASE("a binding is") {
      REQUIRE_FALSE(engine.unbind({"b", DestinationKind::queue, "q", "", ""}, 0));
    }
    CHECK_FALSE(has_exchange("a"));
    CHECK_FALSE(has_exchange("b"));
    CHECK(has_work());
  }
  SUBCASE("of many in turns, unless something is bound meanwhile") {
    for (const char* name : {"a", "b"}) {
      exchange(name, ExchangeType::direct, true);
      declare("q");
      declare("other");
      bind_many(name, "q");
      delete_queue("q");
      REQUIRE(has_exchange(name));
      if (name == std::string("b")) bind(name, "other", "k");
      finish();
    }
    CHECK_FALSE(has_exchange("a"));
    CHECK(publish("b", "k") == 1);
  }
  SUBCASE("a long chain in turns") {
    exchange("0", ExchangeType::fanout, true);
    for (int i = 1; i < many; ++i) {
      exchange(std::to_string(i), ExchangeType::fanout, true);
      bind_exchange(std::to_string(i - 1), std::to_string(i));
    }
    const std::string last = std::to_string(many - 1);
    check_short([&] { delete_exchange(last); });
    CHECK(finish() > 1);
    CHECK_FALSE(has_exchange("0"));
  }
  SUBCASE("not one that has the name of one that is gone") {
    exchange("a", ExchangeType::direct, true);
    declare("q");
    bind_many("a", "q");
    delete_exchange("a");
    exchange("a", ExchangeType::direct, true);
    delete_queue("q");
    finish();
    CHECK(has_exchange("a"));
  }
}

TEST_CASE_FIXTURE(Fixture, "many exclusive queues of many bindings go with their connection") {
  exchange("x", ExchangeType::direct, true);
  for (int i = 0; i < many; ++i) {
    const std::string name = "q" + std::to_string(i % 10);
    if (i < 10) declare(name, false, false, 7);
    REQUIRE_FALSE(engine.bind({"x", DestinationKind::queue, name, key(i), ""}, 7));
  }
  check_short([&] { engine.connection_closed(7); });
  CHECK(finish() > 1);
  CHECK(engine.queue_count() == 0);
  CHECK_FALSE(has_exchange("x"));
}

TEST_CASE_FIXTURE(Fixture, "a deleted queue stays until its messages and its bindings are gone") {
  declare("q");
  bind_many("amq.fanout", "q");
  for (int i = 0; i < 5'000; ++i)
    publish("", "q");
  test::TestChannel channel(engine, 1);
  CHECK(channel.get("q") == "m");
  SUBCASE("what is unacked comes last") {
    delete_queue("q");
    finish();
    CHECK(channel.settle(1) == 0);
  }
  SUBCASE("what is unacked comes first") {
    delete_queue("q");
    CHECK(channel.settle(1) == 0);
    finish();
  }
  SUBCASE("nothing is ready") {
    engine::Purge purge;
    while (!purge.is_done)
      REQUIRE_FALSE(engine.purge_queue("q", 0, purge));
    delete_queue("q");
    CHECK(channel.settle(1) == 0);
    finish();
  }
  SUBCASE("the engine goes first") {
    delete_queue("q");
  }
  CHECK_NOTHROW(engine.check_invariants());
}
