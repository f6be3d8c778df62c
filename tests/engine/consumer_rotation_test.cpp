// Whose turn it is among the consumers of a queue.
#include <doctest/doctest.h>

#include <deque>
#include <string>

#include "engine/consumer_rotation.hpp"
#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::Consumer;
using engine::ConsumerRotation;

namespace {

struct RotationFixture : test::EngineFixture {
  Consumer& add(const std::string& tag, std::int64_t priority = 0) {
    Consumer& consumer = consumers.emplace_back(
        engine::ConsumerOptions{.tag = tag, .priority = priority}, queue, channel.channel, 0);
    rotation.add(consumer);
    return consumer;
  }
  // The tags of the next consumers; each has its turn.
  std::string turns(int count) {
    std::string tags;
    for (int i = 0; i < count && rotation.next(); ++i) {
      tags += rotation.next()->options().tag;
      ConsumerRotation::rotate(*rotation.next());
    }
    return tags;
  }

  engine::Queue& queue = declare("q");
  test::TestChannel channel{engine, 1};
  std::deque<Consumer> consumers;
  ConsumerRotation rotation;
};

}  // namespace

TEST_CASE("consumers take turns in the order in which they came") {
  RotationFixture fixture;
  fixture.add("a");
  fixture.add("b");
  fixture.add("c");
  CHECK(fixture.rotation.size() == 3);
  CHECK(fixture.turns(7) == "abcabca");
}

TEST_CASE("a consumer that was set aside has no turn, and comes back as the last one") {
  RotationFixture fixture;
  Consumer& a = fixture.add("a");
  fixture.add("b");
  fixture.add("c");
  ConsumerRotation::set_aside(a);
  CHECK_FALSE(a.takes_turns());
  CHECK(fixture.turns(3) == "bcb");
  ConsumerRotation::bring_back(a);
  CHECK(a.takes_turns());
  CHECK(fixture.turns(3) == "cba");
}

TEST_CASE("a higher priority comes first, as long as one of its consumers has credit") {
  RotationFixture fixture;
  fixture.add("a");
  Consumer& high = fixture.add("h", 5);
  CHECK(fixture.turns(2) == "hh");
  ConsumerRotation::set_aside(high);
  CHECK(fixture.turns(2) == "aa");
  fixture.rotation.remove(high);
  CHECK(fixture.rotation.size() == 1);
  CHECK(fixture.turns(2) == "aa");
}

TEST_CASE("a consumer can be made the next one of its priority") {
  RotationFixture fixture;
  fixture.add("a");
  fixture.add("b");
  Consumer& c = fixture.add("c");
  ConsumerRotation::to_front(c);
  CHECK(fixture.turns(3) == "cab");
}

TEST_CASE("all consumers are taken out, also those that were set aside") {
  RotationFixture fixture;
  fixture.add("a");
  ConsumerRotation::set_aside(fixture.add("b"));
  fixture.add("c", 1);
  std::string seen;
  CHECK(fixture.rotation.each_in_turn(9, [&](Consumer& each) { seen += each.options().tag; }) == 2);
  CHECK(seen == "ca");
  CHECK(fixture.rotation.each_in_turn(1, [](Consumer&) {}) == 1);
  CHECK(fixture.rotation.take_all().size() == 3);
  CHECK(fixture.rotation.size() == 0);
  CHECK(fixture.rotation.next() == nullptr);
}
