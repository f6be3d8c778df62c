#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <sstream>
#include <vector>

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
};
}  // namespace

TEST_CASE_FIXTURE(Fixture, "consumers take turns, however many there are") {
  declare("q");
  for (std::size_t count = 1; count <= 5; ++count) {
    channels.clear();
    for (std::size_t i = 0; i < count; ++i)
      channel().consume("q", "c", true);
    publish_all("q", "123456789");
    for (std::size_t i = 0; i < count; ++i) {
      std::string expected;
      for (std::size_t task = i + 1; task <= 9; task += count) {
        expected += (expected.empty() ? "" : " ") + std::to_string(task);
      }
      CHECK(channels[i]->take() == expected);
    }
  }
}

TEST_CASE_FIXTURE(Fixture, "the first consumer of a full queue gets it all, without a prefetch") {
  declare("q");
  publish_all("q", "123");
  TestChannel& first = channel();
  first.consume("q");
  CHECK(first.take() == "1 2 3");
}

TEST_CASE_FIXTURE(Fixture, "prefetch: who has its fill is passed over, and rejoins at the end") {
  declare("q");
  TestChannel& a = channel();
  TestChannel& b = channel();
  for (TestChannel* each : {&a, &b}) {
    each->channel.set_prefetch(2);
    each->consume("q");
  }
  publish_all("q", "123456");
  CHECK(a.take() == "1 3");
  CHECK(b.take() == "2 4");
  CHECK(b.settle(1) == 0);
  CHECK(b.take() == "5");
  CHECK(a.settle(2) == 0);
  CHECK(a.take() == "6");
  CHECK(b.settle(0, true) == 0);
  publish_all("q", "78");
  CHECK(b.take() == "7 8");
}

TEST_CASE_FIXTURE(Fixture, "prefetch of a channel counts all its consumers, at once") {
  declare("q");
  declare("r");
  TestChannel& a = channel();
  a.consume("q", "one");
  a.consume("r", "two");
  a.channel.set_channel_prefetch(2);
  publish_all("q", "12");
  publish_all("r", "34");
  CHECK(a.take() == "1 2");
  CHECK(a.settle(1) == 0);
  CHECK(a.take() == "3");
  a.channel.set_channel_prefetch(0);
  CHECK(a.take() == "4");
}

TEST_CASE_FIXTURE(Fixture, "no_ack and get are outside the prefetch") {
  declare("q");
  TestChannel& a = channel();
  a.channel.set_prefetch(1);
  a.consume("q", "c", true);
  publish_all("q", "123");
  CHECK(a.take() == "1 2 3");
  a.channel.cancel("c");
  publish_all("q", "456");
  CHECK(a.get("q") == "4");
  CHECK(a.get("q") == "5");
  a.consume("q");
  CHECK(a.take() == "6");
}

TEST_CASE_FIXTURE(Fixture, "a consumer without room is passed over until there is some") {
  declare("q");
  TestChannel& stuck = channel();
  TestChannel& other = channel();
  stuck.room = 1;
  stuck.consume("q", "c", true);
  other.consume("q", "c", true);
  publish_all("q", "1234");
  CHECK(stuck.take() == "1");
  CHECK(other.take() == "2 3 4");
  stuck.room = 10;
  stuck.channel.resume();
  publish_all("q", "56");
  CHECK(other.take() == "5");
  CHECK(stuck.take() == "6");
}

TEST_CASE_FIXTURE(Fixture, "what is requeued goes to its own place") {
  declare("q");
  TestChannel& a = channel();
  a.channel.set_prefetch(3);
  a.consume("q");
  publish_all("q", "12345");
  CHECK(a.take() == "1 2 3");
  a.channel.cancel("c");
  CHECK(a.settle(2, false, Settlement::requeue) == 0);
  CHECK(a.settle(1, false, Settlement::requeue) == 0);
  TestChannel& b = channel();
  CHECK(b.get("q") == "1*");
  CHECK(b.get("q") == "2*");
  CHECK(b.get("q") == "4");
  CHECK(a.settle(3, false, Settlement::requeue) == 0);
  CHECK(b.get("q") == "3*");
  CHECK(b.get("q") == "5");
  CHECK(b.get("q") == "nothing");
}

TEST_CASE_FIXTURE(Fixture, "a channel that closes gives all back, in order, at once") {
  declare("q");
  TestChannel& victim = channel();
  TestChannel& heir = channel();
  victim.consume("q");
  publish_all("q", "1234");
  heir.consume("q");
  CHECK(victim.settle(3) == 0);
  victim.channel.close();
  CHECK(heir.take() == "1* 2* 4*");
  victim.channel.close();
  CHECK(heir.take().empty());
}

TEST_CASE_FIXTURE(Fixture, "recover gives back all that is unacked") {
  declare("q");
  TestChannel& a = channel();
  a.consume("q");
  publish_all("q", "12");
  CHECK(a.take() == "1 2");
  a.channel.requeue_all();
  CHECK(a.take() == "1* 2*");
  CHECK(a.settle(1) == 406);
  CHECK(a.settle(3) == 0);
}

TEST_CASE_FIXTURE(Fixture, "delivery tags: unknown and repeated ones are refused, 0 means all") {
  declare("q");
  TestChannel& a = channel();
  CHECK(a.settle(1) == 406);
  CHECK(a.settle(0) == 406);
  CHECK(a.settle(0, true) == 0);  // none are left
  a.consume("q");
  publish_all("q", "12345");
  CHECK(a.settle(2) == 0);
  CHECK(a.settle(2) == 406);
  CHECK(a.settle(6) == 406);
  CHECK(a.settle(6, true) == 406);
  CHECK(a.settle(3, true) == 0);
  CHECK(a.settle(1) == 406);
  CHECK(a.settle(3) == 406);
  CHECK(a.settle(0, true) == 0);
  CHECK(a.settle(5) == 406);
}

TEST_CASE_FIXTURE(Fixture, "a long window with stragglers keeps its order") {
  declare("q");
  TestChannel& a = channel();
  a.consume("q");
  for (int i = 1; i <= 20'000; ++i)
    publish("", "q", std::to_string(i));
  a.take();
  for (std::uint64_t tag = 1; tag <= 20'000; ++tag) {
    if (tag % 5'000 != 1) CHECK(a.settle(tag) == 0);
  }
  CHECK(a.settle(5'002) == 406);
  CHECK(a.settle(5'001) == 0);
  CHECK(a.settle(5'001) == 406);
  a.channel.requeue_all();
  CHECK(a.take() == "1* 10001* 15001*");
}

TEST_CASE_FIXTURE(Fixture, "nothing comes after a cancel, and what came stays unacked") {
  engine::Queue& queue = declare("q");
  TestChannel& a = channel();
  a.consume("q");
  publish_all("q", "1");
  a.channel.cancel("c");
  a.channel.cancel("never was");
  publish_all("q", "2");
  CHECK(a.take() == "1");
  CHECK(queue.unacked_count() == 1);
  CHECK(queue.consumer_count() == 0);
  CHECK(a.settle(1) == 0);
  CHECK(queue.unacked_count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "exclusive consumers") {
  declare("q");
  TestChannel& a = channel();
  TestChannel& b = channel();
  REQUIRE_FALSE(a.channel.consume("q", {.tag = "c", .exclusive = true}));
  CHECK(static_cast<int>(b.channel.consume("q", {.tag = "c"}).code) == 403);
  a.channel.cancel("c");
  b.consume("q");
  CHECK(static_cast<int>(a.channel.consume("q", {.tag = "d", .exclusive = true}).code) == 403);
}

// Channels, consumers and settlements are random. No message is lost or duplicated, and each
// consumer gets its messages in order.
TEST_CASE_FIXTURE(Fixture, "random work keeps every message") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    Fixture f;
    engine::Queue& queue = f.declare("q");
    std::size_t published = 0;
    std::size_t acked = 0;
    for (int step = 0; step < 2'000; ++step) {
      const auto dice = random() % 100;
      if (dice < 45) {
        f.publish("", "q", std::to_string(++published));
      } else if (dice < 50 && f.channels.size() < 5) {
        TestChannel& added = f.channel();
        added.channel.set_prefetch(static_cast<std::uint32_t>(random() % 4));
        added.consume("q");
      } else if (!f.channels.empty()) {
        const auto at = static_cast<std::ptrdiff_t>(random() % f.channels.size());
        TestChannel& one = *f.channels[static_cast<std::size_t>(at)];
        if (dice < 52) {
          f.channels.erase(f.channels.begin() + at);
        } else if (one.last_tag > 0) {
          const std::uint64_t tag = 1 + random() % one.last_tag;
          const std::size_t before = queue.ready_count() + queue.unacked_count();
          static_cast<void>(one.settle(tag, random() % 4 == 0,
                                       random() % 4 == 0 ? Settlement::requeue : Settlement::ack));
          acked += before - (queue.ready_count() + queue.unacked_count());
        }
      }
      REQUIRE(queue.ready_count() + queue.unacked_count() + acked == published);
      if (step % 50 == 0) REQUIRE_NOTHROW(f.engine.check_invariants());
    }
    f.channels.clear();
    REQUIRE(queue.unacked_count() == 0);
    TestChannel& last = f.channel();
    last.consume("q", "c", true);
    std::istringstream bodies(last.take());
    long before = 0;
    std::size_t count = 0;
    for (std::string body; bodies >> body; ++count) {
      const long number = std::stol(body);
      REQUIRE(number > before);
      before = number;
    }
    CHECK(count == published - acked);
  }
}
