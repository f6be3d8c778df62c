#include <doctest/doctest.h>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::DeadLetterLimits;
using engine::Settlement;
using test::TestChannel;

namespace {

struct Fixture : test::EngineFixture {
  Fixture() {
    engine.set_now(1'700'000'000'000);
    turn();
  }
  void turn() { engine.work().begin_turn(0); }
  engine::Queue& declare_with(const std::string& name, const amqp::Table& arguments) {
    engine::QueueDefinition wanted = definition(name);
    wanted.arguments = arguments.bytes();
    engine::Queue* queue = nullptr;
    REQUIRE_FALSE(engine.declare_queue(wanted, 0, 0, queue));
    return *queue;
  }
  bool has_work() { return engine.next_deadline() <= 1'700'000'000'000; }
  // Runs turns until nothing is left to do, and returns their number. No turn may do more than its
  // own work and the rest of what it was doing.
  int finish(std::uint64_t units_max = 40'000) {
    int turns = 0;
    for (; has_work(); ++turns) {
      REQUIRE(turns < 100'000);
      const std::uint64_t before = engine.work().spent();
      turn();
      engine.advance(1'700'000'000'000);
      REQUIRE_NOTHROW(engine.check_invariants());
      REQUIRE(engine.work().spent() - before <= units_max);
    }
    return turns;
  }
  std::uint64_t spent_on(const auto& call) {
    const std::uint64_t before = engine.work().spent();
    call();
    return engine.work().spent() - before;
  }
};

const amqp::Table to_fanout{{"x-dead-letter-exchange", "f"}, {"x-max-length", 0}};

// Queues that keep nothing, and pass everything they get to all of them.
struct Hydra : Fixture {
  Hydra() {
    exchange("f", engine::ExchangeType::fanout);
    for (int i = 0; i < 20; ++i) {
      declare_with("h" + std::to_string(i), to_fanout);
      bind("f", "h" + std::to_string(i), "");
    }
  }
};

}  // namespace

TEST_CASE_FIXTURE(Hydra, "a storm of dead letters comes to an end, and says so") {
  publish("", "h0");
  CHECK(has_work());
  const std::uint64_t work = spent_on([&] { finish(); });
  CHECK(work < 20 * DeadLetterLimits::copies_max);
  CHECK(engine.memory_bytes() == 0);
  const engine::StoppedLetters cut = engine.take_stopped_letters();
  CHECK(cut.by_copies > 0);
  REQUIRE_FALSE(cut.queues.empty());
  CHECK(cut.queues.front().starts_with("h"));
  CHECK_FALSE(engine.take_stopped_letters().any());
}

TEST_CASE_FIXTURE(Hydra, "nobody else passes on the letters of a storm") {
  publish("", "h0");
  declare("mine");
  const std::uint64_t mine = spent_on([&] {
    turn();
    publish("", "mine");
    TestChannel channel(engine, 1);
    CHECK(channel.get("mine") == "m");
  });
  CHECK(mine < 10);
  CHECK(has_work());
}

TEST_CASE_FIXTURE(Hydra, "who causes more letters than are passed on waits for the next turn") {
  publish("", "h0");
  int published = 1;
  for (turn(); !engine.work().is_share_used_up(); ++published)
    publish("", "h0");
  CHECK(published < 1'100);
  const std::size_t memory = engine.memory_bytes();
  CHECK(memory < 1u << 20);
  publish("", "h0");
  CHECK(engine.work().is_share_used_up());
}

TEST_CASE_FIXTURE(Fixture, "a fanout to 10,000 dead-letter queues is not cut") {
  exchange("f", engine::ExchangeType::fanout);
  for (int i = 0; i < 10'000; ++i) {
    declare("d" + std::to_string(i));
    bind("f", "d" + std::to_string(i), "");
  }
  declare_with("q", to_fanout);
  publish("", "q");
  finish();
  CHECK(declare("d0").ready_count() == 1);
  CHECK(declare("d9999").ready_count() == 1);
  CHECK_FALSE(engine.take_stopped_letters().any());
}

TEST_CASE_FIXTURE(Fixture, "what is copied again and again is cut, wherever it waits in between") {
  // Each copy goes to forty queues that keep it for a second: 40, 1,560, 59,280, 2,193,360 copies.
  exchange("f", engine::ExchangeType::fanout);
  const amqp::Table slow{{"x-dead-letter-exchange", "f"}, {"x-message-ttl", 1000}};
  for (int i = 0; i < 40; ++i) {
    declare_with("s" + std::to_string(i), slow);
    bind("f", "s" + std::to_string(i), "");
  }
  publish("", "s0");
  engine::TimeMs now = 1'700'000'000'000;
  std::uint64_t deaths = 0;
  for (int second = 1; second <= 70; ++second) {
    now += 1000;
    while (engine.next_deadline() <= now) {
      turn();
      deaths += spent_on([&] { engine.advance(now); });
    }
  }
  CHECK(deaths < 20 * DeadLetterLimits::copies_max);
  CHECK(engine.memory_bytes() == 0);
  const engine::StoppedLetters cut = engine.take_stopped_letters();
  CHECK(cut.by_copies > 0);
  CHECK(cut.queues.size() <= 10);
}

TEST_CASE_FIXTURE(Fixture, "a chain of queues ends after 64 hops, unless a consumer rejects") {
  const auto name = [](int i) { return "c" + std::to_string(i); };
  for (int i = 0; i < 70; ++i) {
    declare_with(name(i), {{"x-dead-letter-exchange", ""},
                           {"x-dead-letter-routing-key", name(i + 1)},
                           {"x-max-length", i == 30 ? 1 : 0}});
  }
  declare(name(70));
  publish("", name(0), "m");
  finish();
  TestChannel channel(engine, 1);
  CHECK(channel.get(name(30)) == "m");
  CHECK(channel.settle(channel.last_tag, false, Settlement::drop) == 0);
  finish();
  CHECK(channel.get(name(70)) == "m");
  CHECK_FALSE(engine.take_stopped_letters().any());

  publish("", name(3), "kept");
  publish("", name(3), "pushes it out");
  finish();
  CHECK(channel.get(name(70)) == "nothing");
  CHECK(channel.get(name(30)) == "pushes it out");
  const engine::StoppedLetters cut = engine.take_stopped_letters();
  CHECK(cut.by_hops == 1);
  CHECK(cut.queues == std::vector<std::string>{name(67)});
}

TEST_CASE("copies of one original are counted, of another one apart") {
  DeadLetterLimits limits;
  engine::CopyMark one;
  CHECK(limits.grant_copies(1, one, 5, "q") == 1);
  CHECK(one.original == 0);
  CHECK(limits.grant_copies(60'000, one, 5, "q") == 60'000);
  CHECK(one.count == 60'000);
  engine::CopyMark copy = one;
  CHECK(limits.grant_copies(30'000, copy, 5, "q") == 30'000);
  CHECK(limits.grant_copies(30'000, one, 5, "q") == 10'000);
  CHECK(limits.grant_copies(1, copy, 5, "r") == 0);
  engine::CopyMark other;
  CHECK(limits.grant_copies(2, other, 5, "q") == 2);
  CHECK(other.original != one.original);
  const engine::StoppedLetters cut = limits.take_stopped();
  CHECK(cut.by_copies == 20'001);
  CHECK(cut.queues == std::vector<std::string>{"q", "r"});
}

TEST_CASE("what has been forgotten of an original begins with what its copy says") {
  engine::CopyMark mark;
  {
    DeadLetterLimits limits;
    limits.grant_copies(70'000, mark, 5, "q");
  }
  DeadLetterLimits after_a_restart;
  CHECK(after_a_restart.grant_copies(70'000, mark, 6, "q") == 30'000);
  engine::CopyMark forged{.original = 17, .count = UINT64_MAX};
  CHECK(after_a_restart.grant_copies(2, forged, 6, "q") == 0);
}

TEST_CASE_FIXTURE(Fixture, "basic.get does not drop all that has expired in one call") {
  declare("dead");
  engine::Queue& queue = declare_with("q", {{"x-dead-letter-exchange", ""},
                                            {"x-dead-letter-routing-key", "dead"},
                                            {"x-message-ttl", 1000}});
  for (int i = 0; i < 20'000; ++i)
    publish("", "q");
  const std::size_t memory = engine.memory_bytes();
  engine.set_now(1'700'000'002'000);
  TestChannel channel(engine, 1);
  const std::uint64_t work = spent_on([&] { CHECK(channel.get("q") == "nothing"); });
  CHECK(work < 5'000);
  CHECK(engine.memory_bytes() < memory + 500'000);
  CHECK(queue.ready_count() > 10'000);
  while (engine.next_deadline() <= 1'700'000'002'000) {
    turn();
    engine.advance(1'700'000'002'000);
  }
  CHECK(queue.ready_count() == 0);
  CHECK(declare("dead").ready_count() == 20'000);
}

TEST_CASE_FIXTURE(Fixture, "large headers of dead letters are paid for by their bytes") {
  declare("dead");
  declare_with("q", {{"x-dead-letter-exchange", ""},
                     {"x-dead-letter-routing-key", "dead"},
                     {"x-message-ttl", 1000}});
  const amqp::Table headers{{"h", std::string(119'000, 'x')}};
  std::string properties;
  amqp::append_properties(properties, {.headers = headers.view()});
  for (int i = 0; i < 1000; ++i) {
    REQUIRE_FALSE(engine
                      .publish({.message = {.exchange = "",
                                            .routing_key = "q",
                                            .properties = properties,
                                            .body = "m"},
                                .traits = {},
                                .headers = headers.bytes()})
                      .error);
  }
  engine.set_now(1'700'000'001'000);
  int turns = 0;
  for (; engine.next_deadline() <= 1'700'000'001'000; ++turns) {
    turn();
    engine.advance(1'700'000'001'000);
  }
  CHECK(turns > 20);
  CHECK(declare("dead").ready_count() == 1000);
}

TEST_CASE_FIXTURE(Fixture, "the time in x-death is that of the wall") {
  declare("dead");
  declare_with(
      "q",
      {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}, {"x-max-length", 0}});
  engine.set_wall_offset(-5'000'000);
  publish("", "q");
  engine::GetResult got;
  TestChannel channel(engine, 1);
  REQUIRE_FALSE(channel.channel.get("dead", true, got));
  REQUIRE(got.found);
  amqp::Properties properties;
  REQUIRE(amqp::decode_properties(got.message->properties(), properties) ==
          amqp::DecodeError::none);
  const auto deaths = properties.headers->find("x-death").value().as_array().value();
  const auto entry = (*deaths.begin()).as_table().value();
  CHECK(entry.find("time")->as_timestamp()->seconds == 1'699'995'000);
}

TEST_CASE_FIXTURE(Fixture, "dead letters wait for a journal that does not keep up") {
  declare_with("q", {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}});
  engine::Queue& dead = declare("dead");
  for (int i = 0; i < 5; ++i)
    publish("", "q");
  TestChannel channel(engine, 1);
  channel.consume("q");
  journal.is_behind = true;
  CHECK(channel.settle(5, true, Settlement::drop) == 0);
  turn();
  engine.advance(engine.now());
  CHECK(dead.ready_count() == 0);
  CHECK_FALSE(has_work());
  engine.check_invariants();
  journal.is_behind = false;
  CHECK(has_work());
  finish();
  CHECK(dead.ready_count() == 5);
}

TEST_CASE_FIXTURE(Fixture, "a queue with more dead letters than may wait looks now and then") {
  declare_with("q", {{"x-message-ttl", 0},
                     {"x-dead-letter-exchange", ""},
                     {"x-dead-letter-routing-key", "dead"}});
  engine::Queue& dead = declare("dead");
  journal.is_behind = true;
  constexpr int count = 1500;
  for (int i = 0; i < count; ++i)
    publish("", "q");
  turn();
  engine.advance(engine.now());
  CHECK(dead.ready_count() == 0);
  CHECK(engine.next_deadline() > engine.now());
  CHECK(engine.next_deadline() <= engine.now() + 1000);
  journal.is_behind = false;
  while (engine.next_deadline() != engine::no_deadline) {
    turn();
    engine.advance(engine.next_deadline());
  }
  CHECK(dead.ready_count() == count);
}
