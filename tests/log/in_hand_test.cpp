// Unacked messages, and those that came back from consumers, leave memory when they move to piles.
#include <doctest/doctest.h>

#include "support/vhost_fixture.hpp"

using namespace haypile;
using engine::Settlement;
using test::numbers_in;
using test::TestChannel;
using test::VhostFixture;

namespace {

std::string body(int number, std::size_t size = 1000) {
  std::string text = std::to_string(number) + ' ';
  text.resize(size, 'x');
  return text;
}

// Twenty messages of 1,000 bytes in a pile; the first ten are unacked.
struct InHand {
  explicit InHand(const std::string& arguments = {}) {
    fixture.open();
    fixture.declare("q", arguments);
    for (int number = 0; number < 20; ++number) {
      fixture.publish("q", body(number), true, static_cast<std::uint8_t>(number % 3));
      fixture.sync();
    }
    channel = &fixture.channel();
    for (int number = 0; number < 10; ++number)
      channel->get("q");
    fixture.move_all();
    fixture.engine().check_invariants();
  }

  VhostFixture fixture;
  TestChannel* channel = nullptr;
};

// A limit of 20,480 bytes.
const std::string limited_in_bytes =
    std::string("\x12x-max-length-bytesl", 20) + std::string("\0\0\0\0\0\0\x50\0", 8);

}  // namespace

TEST_CASE("what is in hand leaves memory") {
  InHand in_hand;
  VhostFixture& fixture = in_hand.fixture;
  TestChannel& channel = *in_hand.channel;
  CHECK(fixture.engine().memory_bytes() <= 10 * engine::MessagePtr::entry_bytes);
  SUBCASE("and is acknowledged") {
    for (const std::uint64_t tag : {2, 3, 9})
      CHECK(channel.settle(tag) == 0);
    fixture.sync();
    fixture.open();
    CHECK(numbers_in(fixture.channel(), "q") ==
          "0* 3* 4* 5* 6* 7* 9* 10* 11* 12* 13* 14* 15* 16* 17* 18* 19*");
  }
  SUBCASE("and comes back, in any order") {
    for (const std::uint64_t tag : {9, 4, 5, 1})
      CHECK(channel.settle(tag, false, Settlement::requeue) == 0);
    CHECK(fixture.engine().memory_bytes() <= 10 * engine::MessagePtr::entry_bytes);
    CHECK(numbers_in(channel, "q") == "0* 3* 4* 8* 10 11 12 13 14 15 16 17 18 19");
    fixture.engine().check_invariants();
  }
  SUBCASE("and is purged after it has come back") {
    CHECK(channel.settle(0, true, Settlement::requeue) == 0);
    engine::Purge purge;
    CHECK_FALSE(fixture.engine().purge_queue("q", 0, purge));
    CHECK(purge.message_count == 20);
    fixture.sync();
    CHECK(fixture.engine().memory_bytes() == 0);
    CHECK(fixture.open().message_counts.at("q") == 0);
  }
  SUBCASE("and a clean stop knows that it was delivered") {
    CHECK(channel.settle(0, true, Settlement::requeue) == 0);
    fixture.close_and_open();
    CHECK(numbers_in(fixture.channel(), "q") ==
          "0* 1* 2* 3* 4* 5* 6* 7* 8* 9* 10 11 12 13 14 15 16 17 18 19");
  }
  SUBCASE("and its queue goes") {
    std::size_t count = 0;
    CHECK_FALSE(fixture.engine().delete_queue("q", 0, false, false, count));
    CHECK(channel.settle(0, true, Settlement::requeue) == 0);
    fixture.sync();
    fixture.sync();
    fixture.engine().check_invariants();
    CHECK(fixture.count_files(".pile") == 0);
  }
}

TEST_CASE("what was in hand is read again for a dead-letter exchange") {
  InHand in_hand(std::string("\x16x-dead-letter-exchangeS\0\0\0\0", 28) +
                 std::string("\x19x-dead-letter-routing-keyS\0\0\0\4dead", 35));
  VhostFixture& fixture = in_hand.fixture;
  fixture.declare("dead");
  for (const std::uint64_t tag : {8, 2})
    CHECK(in_hand.channel->settle(tag, false, Settlement::drop) == 0);
  CHECK(fixture.channel().get("dead") == body(7));
  CHECK(fixture.channel().get("dead") == body(1));
}

TEST_CASE("what was in hand comes back to its priority") {
  InHand in_hand(std::string("\x0ex-max-priorityb\x02", 17));
  TestChannel& channel = *in_hand.channel;
  // The unacked messages are 2 5 8 11 14 17 and 1 4 7 10.
  for (const std::uint64_t tag : {9, 4, 1})
    CHECK(channel.settle(tag, false, Settlement::requeue) == 0);
  CHECK(numbers_in(channel, "q") == "2* 11* 7* 13 16 19 0 3 6 9 12 15 18");
}

TEST_CASE("a queue that is limited in bytes knows how much came back") {
  InHand in_hand(limited_in_bytes);
  CHECK(in_hand.channel->settle(0, true, Settlement::requeue) == 0);
  in_hand.fixture.publish("q", body(20));
  CHECK(numbers_in(*in_hand.channel, "q").starts_with("1* 2* 3*"));
}

TEST_CASE("what is taken from a pile leaves memory as soon as it is delivered") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  for (int number = 0; number < 20; ++number) {
    fixture.publish("q", body(number));
    fixture.sync();
  }
  fixture.move_all();
  TestChannel& channel = fixture.channel();
  channel.consume("q");
  CHECK(channel.last_tag == 20);
  CHECK(fixture.engine().memory_bytes() <= 20 * engine::MessagePtr::entry_bytes);
  CHECK(channel.settle(0, true, Settlement::requeue) == 0);
  CHECK(channel.last_tag == 40);
  const std::string taken = channel.take();
  CHECK(taken.find(body(19) + " " + body(0) + "* " + body(1) + "*") != std::string::npos);
}

TEST_CASE("what came back before it was stored moves as if it had never been away") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  TestChannel& channel = fixture.channel();
  for (int number = 0; number < 12; ++number) {
    fixture.publish("q", body(number));
    if (number < 8) channel.get("q");
    fixture.sync();
  }
  for (const std::uint64_t tag : {8, 3, 2})
    CHECK(channel.settle(tag, false, Settlement::requeue) == 0);
  CHECK(fixture.engine().movable_bytes() > 7000);
  fixture.move_all();
  CHECK(fixture.engine().movable_bytes() == 0);
  CHECK(fixture.engine().memory_bytes() <= 5 * engine::MessagePtr::entry_bytes);
  SUBCASE("if nothing happens") {
    CHECK(numbers_in(channel, "q") == "1* 2* 7* 8 9 10 11");
  }
  SUBCASE("if more comes back afterwards") {
    for (const std::uint64_t tag : {6, 1})
      CHECK(channel.settle(tag, false, Settlement::requeue) == 0);
    CHECK(numbers_in(channel, "q") == "0* 1* 2* 5* 7* 8 9 10 11");
  }
  SUBCASE("if the broker is killed") {
    fixture.open();
    CHECK(numbers_in(fixture.channel(), "q") == "0* 1* 2* 3* 4* 5* 6* 7* 8* 9* 10* 11*");
  }
}

TEST_CASE("what is held beyond its share moves, although nothing is ready") {
  VhostFixture fixture;
  fixture.limits.pressure.memory_max_bytes = 80'000;
  fixture.open();
  fixture.declare("q");
  TestChannel& channel = fixture.channel();
  channel.consume("q");
  std::size_t most = 0;
  for (int number = 0; number < 200; ++number) {
    fixture.publish("q", body(number));
    fixture.sync();
    most = std::max(most, fixture.engine().memory_bytes());
  }
  CHECK(most < 40'000);
  fixture.engine().check_invariants();
}
