#include "vhost/turns.hpp"

#include <doctest/doctest.h>

#include "session/amqp_property_codec.hpp"
#include "support/test_participant.hpp"

using namespace haypile;
using test::TestParticipant;
using Story = TestParticipant::Story;

namespace {

struct Fixture {
  std::shared_ptr<TestParticipant> participant(const std::string& name) {
    return std::make_shared<TestParticipant>(name, story);
  }
  // A participant that has work for more than a turn, in shares.
  std::shared_ptr<TestParticipant> busy(const std::string& name) {
    auto made = participant(name);
    made->on_read = [this, self = made.get(), weak = std::weak_ptr(made)] {
      while (!engine.work().is_share_used_up())
        engine.work().spend(10);
      turns.add(weak.lock(), false);
    };
    return made;
  }
  void turn() {
    story.clear();
    turns.begin(false);
    turns.run();
  }
  // Adds waiting messages that could be moved: a backlog.
  void fill() {
    engine::Queue* queue = nullptr;
    REQUIRE_FALSE(
        engine.declare_queue({.name = "q", .durable = true, .arguments = {}}, 0, 0, queue));
    const std::string body(vhost::Turns::backlog_bytes, 'x');
    engine.publish({.message = {.exchange = "",
                                .routing_key = "q",
                                .properties = std::string_view("\0\0", 2),
                                .body = body},
                    .traits = {.persistent = true},
                    .headers = {}});
  }

  Story story;
  engine::NullJournal journal;
  session::AmqpPropertyCodec wire;
  engine::Engine engine{"/", journal, wire};
  vhost::Turns turns{engine};
};

constexpr std::size_t units = engine::WorkBudget::units_per_turn;

}  // namespace

TEST_CASE("nobody waits as long as a turn has budget left") {
  Fixture fixture;
  fixture.turn();
  CHECK_FALSE(fixture.turns.defers(false));
  fixture.engine.work().spend(units - 1);
  CHECK_FALSE(fixture.turns.defers(true));
  fixture.engine.work().spend(1);
  CHECK(fixture.turns.defers(false));
  fixture.turn();
  CHECK_FALSE(fixture.turns.defers(false));
}

TEST_CASE("those who use up their shares take turns, and leave a share for others") {
  Fixture fixture;
  for (const char* name : {"a", "b", "c"})
    fixture.turns.add(fixture.busy(name), false);
  for (int i = 0; i < 3; ++i) {
    fixture.turn();
    CHECK(fixture.story == Story{"a reads", "b reads", "c reads"});
    CHECK_FALSE(fixture.turns.defers(false));
  }
}

TEST_CASE("whom a turn has no budget for is first in the next one") {
  Fixture fixture;
  constexpr std::size_t count = 2 * units / engine::WorkBudget::share_min;
  for (std::size_t i = 0; i < count; ++i)
    fixture.turns.add(fixture.busy(std::to_string(i)), false);
  fixture.turn();
  CHECK(fixture.story.size() == count / 2);
  CHECK(fixture.story.front() == "0 reads");
  CHECK(fixture.turns.defers(false));
  fixture.turn();
  CHECK(fixture.story.size() == count / 2);
  CHECK(fixture.story.front() == std::to_string(count / 2) + " reads");
}

TEST_CASE("with a backlog publishers wait in a line, and little is read of them in a turn") {
  Fixture fixture;
  vhost::Turns& turns = fixture.turns;
  constexpr std::size_t size_max = 1u << 20;
  turns.count_published(vhost::Turns::publish_turn_bytes);
  CHECK_FALSE(turns.defers(true));
  CHECK(turns.read_size(size_max, true, false) == size_max);
  CHECK(turns.read_size(size_max, false, true) == vhost::Turns::publish_turn_bytes);
  fixture.fill();
  CHECK(turns.defers(true));
  CHECK_FALSE(turns.defers(false));
  CHECK(turns.read_size(size_max, true, false) == vhost::Turns::publish_turn_bytes);
  CHECK(turns.read_size(size_max, false, false) == size_max);
  fixture.turn();

  for (const char* name : {"a", "b", "c", "d"}) {
    const auto publisher = fixture.participant(name);
    publisher->on_read = [&] { turns.count_published(vhost::Turns::publish_turn_bytes / 2); };
    turns.add(publisher, true);
  }
  turns.add(fixture.participant("consumer"), false);
  fixture.turn();
  CHECK(fixture.story == Story{"consumer reads", "a reads", "b reads"});
  // A new publisher waits behind those that wait already.
  CHECK(turns.defers(true));
  fixture.turn();
  CHECK(fixture.story == Story{"c reads", "d reads"});
  CHECK_FALSE(turns.has_waiting());
  CHECK_FALSE(turns.defers(true));
}

TEST_CASE("one publisher at least has its turn, whatever the others do") {
  Fixture fixture;
  fixture.fill();
  for (std::size_t i = 0; i < units / engine::WorkBudget::share_min; ++i)
    fixture.turns.add(fixture.busy("busy"), false);
  fixture.turns.add(fixture.participant("a"), true);
  fixture.turns.add(fixture.participant("b"), true);
  fixture.turn();
  CHECK(fixture.story.back() == "a reads");
  fixture.turn();
  CHECK(fixture.story.back() == "b reads");
}
