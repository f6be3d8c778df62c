#include "vhost/vhost.hpp"

#include <doctest/doctest.h>

#include "support/test_participant.hpp"
#include "support/vhost_fixture.hpp"

using namespace haypile;
using test::TestParticipant;
using Story = TestParticipant::Story;

namespace {

struct Fixture : test::VhostFixture {
  std::shared_ptr<TestParticipant> participant(const std::string& name) {
    return std::make_shared<TestParticipant>(name, story);
  }
  vhost::Vhost& host() { return *vhost; }
  // Runs a turn and returns what it did.
  Story turn(engine::TimeMs duration_ms = 0) {
    story.clear();
    now.boot += duration_ms;
    now.wall += duration_ms;
    host().turn(now);
    return story;
  }

  // Runs turns until the log has nothing more to write.
  void rest() {
    for (int i = 0; i < 2; ++i) {
      turn(500);
      log().step();
    }
    turn();
  }

  Story story;
};

}  // namespace

TEST_CASE("publishers that wait for the log go on when it has written") {
  Fixture fixture;
  fixture.options.pending_max_bytes = 500;
  fixture.open();
  fixture.declare("q");
  fixture.publish("q", std::string(600, 'x'));
  CHECK(fixture.host().publishers_must_wait());
  fixture.host().pause(fixture.participant("a"));
  fixture.host().pause(fixture.participant("b"));
  CHECK(fixture.turn().empty());
  CHECK_FALSE(fixture.host().wants_turn());
  fixture.log().step();
  CHECK(fixture.host().wants_turn());
  CHECK(fixture.turn() == Story{"a goes on", "b goes on"});
  CHECK_FALSE(fixture.host().wants_turn());
  CHECK_FALSE(fixture.host().has_paused());
}

TEST_CASE(
    "when one that goes on makes it too much again, the others wait on, and come first then") {
  Fixture fixture;
  fixture.options.pending_max_bytes = 500;
  fixture.open();
  fixture.declare("q");
  fixture.sync();
  for (const char* name : {"a", "b"}) {
    const auto participant = fixture.participant(name);
    participant->on_go_on = [&fixture] {
      fixture.publish("q", std::string(600, 'x'));
      return false;
    };
    fixture.host().pause(participant);
  }
  for (int i = 0; i < 3; ++i) {
    CHECK(fixture.turn() == Story{"a goes on"});
    fixture.log().step();
    CHECK(fixture.turn() == Story{"b goes on"});
    fixture.log().step();
  }
}

TEST_CASE("whoever is paused is told of an alarm that comes later") {
  Fixture fixture;
  fixture.limits.pressure.memory_max_bytes = 10'000;
  fixture.options.pending_max_bytes = 500;
  fixture.open();
  fixture.declare("q");
  fixture.publish("q", std::string(600, 'x'));
  REQUIRE(fixture.host().publishers_must_wait());
  fixture.host().pause(fixture.participant("a"));
  CHECK(fixture.turn().empty());
  fixture.publish("q", std::string(10'000, 'x'), false);
  CHECK(fixture.turn() == Story{"a hears: low on memory"});
  CHECK(fixture.turn().empty());
  CHECK(fixture.host().alarms().is_memory_low);
  // What others hold counts, too.
  engine::Purge purge;
  REQUIRE_FALSE(fixture.engine().purge_queue("q", 0, purge));
  fixture.host().set_memory_elsewhere(10'000);
  fixture.sync();
  CHECK(fixture.turn().empty());
  fixture.host().set_memory_elsewhere(0);
  CHECK(fixture.host().wants_turn());
  CHECK(fixture.turn() == Story{"a goes on"});
}

TEST_CASE("who waits for something else is asked when that has changed, whatever the alarm") {
  Fixture fixture;
  fixture.limits.pressure.memory_max_bytes = 0;
  fixture.open();
  fixture.host().set_memory_elsewhere(1);
  fixture.host().pause(fixture.participant("a"));
  const auto waits_on = fixture.participant("b");
  waits_on->on_go_on = [] { return false; };
  fixture.host().pause(waits_on);
  fixture.turn();
  CHECK(fixture.turn().empty());
  fixture.host().try_paused();
  CHECK(fixture.host().wants_turn());
  CHECK(fixture.turn() == Story{"a goes on", "b goes on"});
  CHECK(fixture.turn().empty());
  CHECK(fixture.host().has_paused());
}

TEST_CASE("those who have gone are forgotten when the paused are looked after") {
  Fixture fixture;
  fixture.options.pending_max_bytes = 0;
  fixture.open();
  const auto gone = fixture.participant("a");
  fixture.host().pause(gone);
  fixture.host().pause(fixture.participant("b"));
  fixture.declare("q");
  gone->is_gone = true;
  fixture.host().check_paused_peers();
  CHECK(fixture.story == Story{"a is looked after", "b is looked after"});
  CHECK(gone.use_count() == 1);
  fixture.sync();
  CHECK(fixture.turn() == Story{"b goes on"});
}

TEST_CASE("a full disk is looked at again as long as the alarm lasts") {
  Fixture fixture;
  fixture.limits.pressure.disk_free_min_bytes = 100'000;
  fixture.files.set_capacity(1u << 20);
  fixture.open();
  fixture.rest();
  CHECK_FALSE(fixture.host().alarms().is_disk_low);
  CHECK(fixture.host().next_deadline() == engine::no_deadline);

  const std::uint64_t free_bytes = fixture.files.free_bytes("log");
  REQUIRE(free_bytes > 100'000);
  fixture.files.put("other", std::string(free_bytes - 99'999, 'x'));
  fixture.turn(100);  // the disk is not checked in each turn
  CHECK_FALSE(fixture.host().alarms().is_disk_low);
  fixture.turn(100);
  CHECK(fixture.host().alarms().is_disk_low);
  CHECK(fixture.host().alarm_text() == "low on disk");
  CHECK(fixture.host().next_deadline() == fixture.now.boot + 200);
  fixture.host().pause(fixture.participant("a"));

  fixture.files.drop("other");
  fixture.turn(199);
  CHECK(fixture.host().alarms().is_disk_low);
  fixture.turn(1);
  CHECK_FALSE(fixture.host().alarms().is_disk_low);
  CHECK(fixture.host().next_deadline() == engine::no_deadline);
  CHECK(fixture.turn() == Story{"a goes on"});
}

TEST_CASE("what expires makes a turn due, on the boot clock") {
  Fixture fixture;
  fixture.now = {.boot = 5000, .wall = 1'790'000'000'000};
  fixture.open();
  engine::Queue* queue = nullptr;
  REQUIRE_FALSE(
      fixture.engine().declare_queue({.name = "q", .durable = true, .arguments = {}}, 0, 0, queue));
  REQUIRE_FALSE(fixture.engine()
                    .publish({.message = {.exchange = "",
                                          .routing_key = "q",
                                          .properties = std::string_view("\0\0", 2),
                                          .body = "x"},
                              .traits = {.persistent = true, .ttl_ms = 400},
                              .headers = {}})
                    .error);
  fixture.turn();
  CHECK(fixture.host().next_deadline() == 5400);
  // A change of the wall clock has no effect.
  fixture.now.wall += 3'600'000;
  fixture.turn(399);
  CHECK(queue->ready_count() == 1);
  fixture.turn(1);
  CHECK(queue->ready_count() == 0);
  fixture.rest();
  CHECK(fixture.host().next_deadline() == engine::no_deadline);
}

TEST_CASE("who waits for the log is told once") {
  Fixture fixture;
  fixture.open();
  fixture.host().await_log(fixture.participant("a"));
  fixture.host().log_advanced(fixture.now.boot);
  fixture.host().log_advanced(fixture.now.boot);
  CHECK(fixture.story == Story{"a hears of the log"});
}

TEST_CASE("after a failure nothing is written, confirmed or closed any more") {
  Fixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.publish("q", "before");
  fixture.sync();
  const engine::LogPosition durable = fixture.log().durable();
  fixture.host().await_log(fixture.participant("a"));
  fixture.host().pause(fixture.participant("b"));
  fixture.publish("q", "after");
  fixture.host().abandon();
  CHECK(fixture.turn().empty());
  CHECK_FALSE(fixture.host().wants_turn());
  fixture.log().step();
  fixture.host().log_advanced(fixture.now.boot);
  CHECK(fixture.story.empty());
  CHECK(fixture.log().durable() == durable);
  CHECK_FALSE(fixture.host().close_clean());
  fixture.open();
  CHECK(fixture.channel().get("q") == "before*");
  CHECK(fixture.channel().get("q") == "nothing");
}

TEST_CASE("a failure may come out of anybody's turn") {
  Fixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.sync();
  const engine::LogPosition end = fixture.log().end();
  const auto failing = fixture.participant("a");
  SUBCASE("") {
    failing->on_go_on = [&fixture] {
      fixture.publish("q", "half");
      fixture.host().abandon();
      return true;
    };
    fixture.host().pause(failing);
    fixture.host().pause(fixture.participant("b"));
    CHECK(fixture.turn() == Story{"a goes on"});
  }
  SUBCASE("") {
    failing->on_read = [&fixture] {
      fixture.publish("q", "half");
      fixture.host().abandon();
    };
    fixture.host().turns().add(failing, false);
    fixture.host().turns().add(fixture.participant("b"), false);
    CHECK(fixture.turn() == Story{"a reads"});
  }
  fixture.log().step();
  CHECK(fixture.log().durable() == end);
}

TEST_CASE("what waits for the disk counts as memory") {
  Fixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.sync();
  const std::size_t before = fixture.host().memory_bytes();
  fixture.publish("q", std::string(2000, 'x'));
  const std::size_t message = fixture.engine().memory_bytes();
  CHECK(fixture.host().memory_bytes() >= before + message + 2000);
  fixture.turn();
  CHECK(fixture.host().memory_bytes() >= before + message + 2000);
  fixture.log().step();
  CHECK(fixture.host().memory_bytes() == before + message);
}

TEST_CASE("without a log nothing is kept, and nobody waits for it") {
  session::AmqpPropertyCodec wire;
  vhost::Vhost host("/", wire, nullptr, {});
  CHECK(host.start({}).clean);
  engine::Queue* queue = nullptr;
  REQUIRE_FALSE(
      host.engine().declare_queue({.name = "q", .durable = true, .arguments = {}}, 0, 0, queue));
  host.turn({.boot = 1000, .wall = 1000});
  CHECK_FALSE(host.publishers_must_wait());
  CHECK_FALSE(host.wants_turn());
  CHECK(host.close_clean());
}

TEST_CASE("half a second after the last that was appended, the log says that it is durable") {
  Fixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.rest();
  CHECK(fixture.host().next_deadline() == engine::no_deadline);
  fixture.publish("q", "x");
  fixture.turn();
  fixture.log().step();
  const engine::LogPosition end = fixture.log().end();
  CHECK(fixture.host().next_deadline() == fixture.now.boot + 500);
  fixture.turn(499);
  CHECK(fixture.log().end() == end);
  fixture.turn(1);
  CHECK(fixture.log().end() > end);
  CHECK(fixture.host().next_deadline() == engine::no_deadline);
}

TEST_CASE("a wall clock that is set while a broker runs does not move time, nor does a restart") {
  Fixture fixture;
  fixture.now = {.boot = 5000, .wall = 1'000'000'000'000};  // many years too early
  fixture.open();
  fixture.declare("q");
  fixture.publish("q", "x");
  const engine::TimeMs published = fixture.engine().now();
  fixture.turn(100);
  fixture.now.wall = 1'790'000'000'000;
  fixture.turn(100);
  fixture.sync();
  // The process does not run for a second.
  fixture.now.wall += 1000;
  fixture.now.boot += 1000;
  fixture.open();
  CHECK(fixture.engine().now() == published + 1200);
}
