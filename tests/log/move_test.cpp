// The second generation: messages that stay long move from the log to piles.
#include <doctest/doctest.h>

#include <random>

#include "log/pile.hpp"
#include "support/vhost_fixture.hpp"

using namespace haypile;
using test::numbers_in;
using test::TestChannel;
using test::VhostFixture;

namespace {

std::string numbers(int first, int end, const std::string& mark = "") {
  std::string text;
  for (int number = first; number < end; ++number)
    text += (text.empty() ? "" : " ") + std::to_string(number) + mark;
  return text;
}

}  // namespace

TEST_CASE("the log stays within its ring, whatever is in the queues") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  for (int round = 0; round < 10; ++round) {
    fixture.publish_numbers("q", round * 100, (round + 1) * 100);
    CHECK(fixture.log().segment_count() <= 16);
  }
  CHECK(fixture.count_files(".pile") > 1);
  CHECK(fixture.engine().memory_bytes() < 200'000);
  SUBCASE("they are there") {
    CHECK(numbers_in(fixture.channel(), "q") == numbers(0, 1000));
  }
  SUBCASE("they are there after a kill") {
    const log::RecoveryReport report = fixture.open();
    CHECK(report.message_counts.at("q") == 1000);
    CHECK(numbers_in(fixture.channel(), "q") == numbers(0, 1000, "*"));
  }
  SUBCASE("they are there after a clean stop") {
    fixture.close_and_open();
    CHECK(numbers_in(fixture.channel(), "q") == numbers(0, 1000));
  }
  SUBCASE("when they are acknowledged, the piles go") {
    TestChannel& channel = fixture.channel();
    CHECK(numbers_in(channel, "q") == numbers(0, 1000));
    for (std::uint64_t tag = 1; tag <= 1000; ++tag) {
      CHECK(channel.settle(tag) == 0);
      fixture.sync();
    }
    fixture.sync();
    CHECK(fixture.count_files(".pile") == 0);
    CHECK(fixture.open().message_counts.at("q") == 0);
  }
}

TEST_CASE("one message that nobody takes costs nothing but its own bytes") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("kept");
  fixture.declare("busy");
  fixture.publish("kept", "1");
  TestChannel& channel = fixture.channel();
  channel.consume("busy", "c", true);
  fixture.publish_numbers("busy", 0, 2000);
  CHECK(fixture.log().segment_count() <= 16);
  CHECK(fixture.count_files(".pile") == 1);
  CHECK(fixture.open().message_counts.at("kept") == 1);
  CHECK(numbers_in(fixture.channel(), "kept") == "1*");
}

TEST_CASE("what is kept short is never written twice") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  TestChannel& channel = fixture.channel();
  channel.consume("q");
  for (int number = 0; number < 2000; ++number) {
    fixture.publish("q", std::to_string(number) + std::string(100, 'x'));
    fixture.sync();
    CHECK(channel.settle(channel.last_tag) == 0);
  }
  CHECK(fixture.count_files(".pile") == 0);
}

TEST_CASE("messages in a consumer's hands move, and are acknowledged where they are") {
  for (const bool is_stored : {false, true}) {
    CAPTURE(is_stored);
    VhostFixture fixture;
    fixture.open();
    fixture.declare("q");
    fixture.publish_numbers("q", 0, 6);
    TestChannel& channel = fixture.channel();
    for (int i = 0; i < 4; ++i)
      channel.get("q");
    fixture.engine().set_movable_max_bytes(0);
    fixture.flush();
    if (is_stored) fixture.log().step();
    CHECK(channel.settle(2) == 0);
    CHECK(channel.settle(3, false, engine::Settlement::requeue) == 0);
    CHECK(channel.settle(4) == 0);
    fixture.log().flush();
    SUBCASE("if nothing happens") {
      CHECK(channel.settle(1, false, engine::Settlement::requeue) == 0);
      CHECK(numbers_in(channel, "q") == "0* 2* 4 5");
    }
    SUBCASE("if the broker is killed") {
      fixture.log().step();
      fixture.open();
      CHECK(numbers_in(fixture.channel(), "q") == "0* 2* 4* 5*");
    }
    SUBCASE("if the broker is killed before the pile is in a checkpoint") {
      if (!is_stored) {
        // Only the batch is written.
        fixture.files.fail_after(4);
        fixture.log().step();
        fixture.files.fail_after(0);
      }
      fixture.open();
      const std::string found = numbers_in(fixture.channel(), "q");
      CHECK((found == "0* 2* 4* 5*" || found == "0* 1* 2* 3* 4* 5*"));
    }
  }
}

TEST_CASE("an acknowledgement never meets a pile that was made later") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.publish_numbers("q", 0, 4);
  TestChannel& channel = fixture.channel();
  for (int i = 0; i < 4; ++i)
    channel.get("q");
  fixture.engine().set_movable_max_bytes(0);
  fixture.publish_numbers("q", 4, 5);
  // The pile is made, and two of its messages are acknowledged, but it never gets to the disk.
  fixture.engine().move_old_messages();
  CHECK(channel.settle(1) == 0);
  CHECK(channel.settle(3) == 0);
  fixture.files.fail_after(5);
  fixture.sync();
  fixture.files.fail_after(0);
  for (int round = 0; round < 3; ++round) {
    fixture.open();
    fixture.move_all();
    fixture.publish("q", std::to_string(5 + round));
    fixture.sync();
  }
  fixture.open();
  const std::string found = numbers_in(fixture.channel(), "q");
  CHECK((found == "1* 3* 4* 5* 6* 7*" || found == "0* 1* 2* 3* 4* 5* 6* 7*"));
}

TEST_CASE("after a clean stop only what had been delivered is marked") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.publish_numbers("q", 0, 4);
  fixture.move_all();
  fixture.channel().get("q");
  fixture.close_and_open();
  CHECK(numbers_in(fixture.channel(), "q") == "0* 1 2 3");
  fixture.open();
  fixture.close_and_open();
  CHECK(numbers_in(fixture.channel(), "q") == "0* 1* 2* 3*");
}

TEST_CASE("after a clean stop in the middle of a move what had been delivered is marked") {
  VhostFixture fixture;
  fixture.options.portion_size = 500;
  fixture.open();
  fixture.declare("q");
  fixture.publish_numbers("q", 0, 20);
  fixture.open();
  fixture.publish_numbers("q", 20, 40);
  fixture.engine().set_movable_max_bytes(0);
  fixture.vhost->turn(fixture.now);
  REQUIRE(fixture.engine().is_moving());
  SUBCASE("when some of it is in the pile's file") {
    fixture.log().step();
  }
  SUBCASE("when none is") {}
  fixture.close_and_open();
  CHECK(numbers_in(fixture.channel(), "q") == numbers(0, 20, "*") + " " + numbers(20, 40));
}

TEST_CASE("a purge and the end of the queue take what is on disk with them") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.publish_numbers("q", 0, 1000);
  REQUIRE(fixture.count_files(".pile") > 0);
  std::size_t count = 0;
  TestChannel& channel = fixture.channel();
  channel.get("q");
  bool is_purge = true;
  SUBCASE("purge") {
    engine::Purge purge;
    CHECK_FALSE(fixture.engine().purge_queue("q", 1, purge));
    CHECK(purge.message_count == 999);
    CHECK(channel.get("q") == "nothing");
    fixture.publish("q", "1000");
  }
  SUBCASE("delete") {
    is_purge = false;
    CHECK_FALSE(fixture.engine().delete_queue("q", 1, false, false, count));
    CHECK(count == 999);
  }
  fixture.sync();
  fixture.sync();
  CHECK(fixture.count_files(".pile") == (is_purge ? 1 : 0));
  CHECK(channel.settle(1) == 0);
  fixture.sync();
  fixture.sync();
  CHECK(fixture.count_files(".pile") == 0);
  fixture.open();
  if (is_purge) CHECK(numbers_in(fixture.channel(), "q") == "1000*");
}

TEST_CASE("transient messages keep their places between those that have moved") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  for (int number = 0; number < 8; ++number)
    fixture.publish("q", std::to_string(number), number % 3 != 0);
  fixture.sync();
  fixture.move_all();
  fixture.publish("q", "8");
  fixture.sync();
  CHECK(fixture.count_files(".pile") == 1);
  CHECK(numbers_in(fixture.channel(), "q") == numbers(0, 9));
  fixture.open();
  CHECK(numbers_in(fixture.channel(), "q") == "1* 2* 4* 5* 7* 8*");
}

TEST_CASE("a queue with priorities has a backlog for each") {
  VhostFixture fixture;
  const std::string arguments(
      "\x0ex-max-priority"
      "b\x05",
      17);
  fixture.open();
  fixture.declare("q", arguments);
  for (int number = 0; number < 12; ++number)
    fixture.publish("q", std::to_string(number), true, static_cast<std::uint8_t>(number % 3));
  fixture.sync();
  fixture.move_all();
  fixture.publish("q", "12", true, 1);
  CHECK(numbers_in(fixture.channel(), "q") == "2 5 8 11 1 4 7 10 12 0 3 6 9");
}

TEST_CASE("damage to a pile is refused by name") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.publish_numbers("q", 0, 20);
  fixture.move_all();
  std::string path;
  for (const std::string& each : fixture.files.paths())
    path = each.ends_with(".pile") ? each : path;
  REQUIRE_FALSE(path.empty());
  std::string bytes = fixture.files.bytes(path);
  std::string refusal;
  const auto open = [&] {
    try {
      fixture.open();
    } catch (const log::IoError& error) {
      refusal = error.what();
    }
  };
  SUBCASE("missing") {
    fixture.files.drop(path);
    open();
    CHECK(refusal.find("is missing") != std::string::npos);
  }
  SUBCASE("short") {
    fixture.files.put(path, bytes.substr(0, bytes.size() - 8));
    open();
    CHECK(refusal.find("bytes, expected") != std::string::npos);
  }
  SUBCASE("of another directory") {
    bytes[16] = static_cast<char>(bytes[16] ^ 1);
    fixture.files.put(path, bytes);
    open();
    CHECK(refusal.find("belongs to another data directory") != std::string::npos);
  }
  SUBCASE("a flipped bit at the head of the queue") {
    bytes[200] = static_cast<char>(bytes[200] ^ 1);
    fixture.files.put(path, bytes);
    open();
    CHECK(refusal.find("is damaged at offset 64") != std::string::npos);
  }
  CHECK(refusal.find(path) != std::string::npos);
}

TEST_CASE("a pile that cannot be read ends the log, and loses nothing") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  for (int number = 0; number < 40; ++number)
    fixture.publish("q", std::to_string(number) + std::string(10'000, 'x'));
  fixture.sync();
  fixture.move_all();
  fixture.sync();
  std::string path;
  for (const std::string& each : fixture.files.paths())
    path = each.ends_with(".pile") ? each : path;
  std::string bytes = fixture.files.bytes(path);
  const std::string whole = bytes;
  bytes[300'000] = static_cast<char>(bytes[300'000] ^ 1);
  fixture.files.put(path, bytes);
  const std::string found = numbers_in(fixture.channel(), "q");
  CHECK(found.size() < numbers(0, 40).size());
  CHECK(fixture.failure.find("is damaged at offset") != std::string::npos);
  const engine::LogPosition end = fixture.log().end();
  fixture.publish("q", "40");
  fixture.sync();
  CHECK(fixture.log().durable() <= end);
  fixture.files.put(path, whole);
  fixture.open();
  CHECK(numbers_in(fixture.channel(), "q") == numbers(0, 40, "*"));
}

TEST_CASE("a loss of power while it stops forgets nobody who was given a message") {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    VhostFixture fixture;
    fixture.options.ring_size = std::uint64_t{64} * 4096;
    fixture.options.reserve_size = 0;
    fixture.open();
    fixture.declare("q");
    fixture.publish_numbers("q", 0, 1000);  // more than is read back at once
    // All messages may have been delivered. They move, but their pile is not on the disk yet.
    fixture.open();
    fixture.engine().set_movable_max_bytes(0);
    fixture.flush();
    fixture.files.set_sector_size(64);
    fixture.files.lose_power_after(1 + random() % 60);
    try {
      fixture.engine().mark_delivered();
      fixture.log().close_clean();
    } catch (const test::PowerLoss&) {
    }
    fixture.channels.clear();
    fixture.vhost.reset();
    fixture.files.restart(random);
    fixture.open();
    CHECK(numbers_in(fixture.channel(), "q") == numbers(0, 1000, "*"));
  }
}
