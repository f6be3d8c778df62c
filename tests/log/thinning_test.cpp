// Messages that have left their queue release their disk space, even if others in their pile stay.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "log/pile.hpp"
#include "support/vhost_fixture.hpp"

using namespace haypile;
using test::TestChannel;
using test::VhostFixture;

namespace {

// The approximate size of a message of publish_numbers().
constexpr std::uint64_t message_bytes = 110;

std::vector<int> take_all(TestChannel& channel, const std::string& queue) {
  std::vector<int> found;
  while (true) {
    const std::string body = channel.get(queue, true);
    if (body == "nothing") return found;
    found.push_back(std::stoi(body));
  }
}

std::vector<int> numbers(int first, int end, int step = 1) {
  std::vector<int> list;
  for (int number = first; number < end; number += step)
    list.push_back(number);
  return list;
}

std::uint64_t pile_bytes(VhostFixture& fixture) {
  std::uint64_t size = 0;
  for (const std::string& path : fixture.files.paths())
    size += path.ends_with(".pile") ? fixture.files.bytes(path).size() : 0;
  return size;
}

// The number of piles whose file is not their first one.
std::size_t thinned_count(VhostFixture& fixture) {
  std::size_t count = 0;
  for (const std::string& path : fixture.files.paths()) {
    if (!path.ends_with(".pile")) continue;
    const auto file = *log::pile_number(path.substr(path.find('/') + 1));
    if (log::pile_of(fixture.files.bytes(path)) != file) ++count;
  }
  return count;
}

// Lets other messages pass through the log, so that its ring is used again.
void pass_time(VhostFixture& fixture, int rounds = 3) {
  TestChannel& channel = fixture.channel();
  for (int i = 0; i < rounds * 100; ++i) {
    fixture.publish("other", std::string(200, 'o'));
    fixture.sync();
    channel.get("other", true);
  }
  fixture.sync();
  fixture.sync();
}

// Declares the queues "q" and "other", and puts a thousand messages of q into piles.
void fill(VhostFixture& fixture) {
  fixture.open();
  fixture.declare("q");
  fixture.declare("other");
  for (int first = 0; first < 1000; first += 100) {
    fixture.publish_numbers("q", first, first + 100);
    fixture.move_all();
  }
  fixture.sync();
  REQUIRE(fixture.count_files(".pile") >= 10);
  REQUIRE(thinned_count(fixture) == 0);
}

// All messages are unacked, with one tag for each number: acknowledges those for which `wanted` is
// true.
template <class Wanted>
void settle_if(VhostFixture& fixture, TestChannel& channel, Wanted wanted) {
  for (int number = 0; number < 1000; ++number) {
    if (wanted(number)) CHECK(channel.settle(static_cast<std::uint64_t>(number) + 1) == 0);
    if (number % 10 == 0) fixture.sync();
  }
  fixture.sync();
}

}  // namespace

TEST_CASE("a few messages that nobody takes keep no more than their own bytes") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("kept");
  fixture.declare("busy");
  fixture.declare("other");
  for (int number = 0; number < 2000; ++number)
    fixture.publish_numbers(number % 100 == 0 ? "kept" : "busy", number, number + 1);
  fixture.move_all();
  fixture.sync();
  TestChannel& channel = fixture.channel();
  CHECK(pile_bytes(fixture) > 2000 * 100);
  CHECK(take_all(channel, "busy").size() == 1980);
  pass_time(fixture, 10);
  CHECK(thinned_count(fixture) > 1);
  CHECK(pile_bytes(fixture) < 40 * (message_bytes + log::pile_header_size * 4));
  SUBCASE("they are there") {}
  SUBCASE("they are there after a kill") {
    CHECK(fixture.open().message_counts.at("kept") == 20);
  }
  SUBCASE("they are there after a clean stop") {
    fixture.close_and_open();
  }
  CHECK(take_all(fixture.channel(), "kept") == numbers(0, 2000, 100));
  fixture.sync();
  fixture.sync();
  CHECK(fixture.count_files(".pile") == 0);
  CHECK(fixture.failure.empty());
}

TEST_CASE("space on disk is bounded by what is in the queues, whatever leaves them first") {
  VhostFixture fixture;
  fill(fixture);
  TestChannel& channel = fixture.channel();
  for (int i = 0; i < 1000; ++i)
    channel.get("q");
  std::uint64_t largest = 0;
  for (const std::string& path : fixture.files.paths()) {
    if (!path.ends_with(".pile")) continue;
    largest = std::max<std::uint64_t>(largest, fixture.files.bytes(path).size());
  }
  std::vector<int> order = numbers(0, 1000);
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  std::set<int> left(order.begin(), order.end());
  for (std::size_t i = 0; i < 900; ++i) {
    CHECK(channel.settle(static_cast<std::uint64_t>(order[i]) + 1) == 0);
    left.erase(order[i]);
    fixture.sync();
    fixture.sync();
    // Headers need space, too, and so do messages that leave while a file is being written.
    CHECK(pile_bytes(fixture) < left.size() * message_bytes * 3 / 2 + largest * 2 + 8192);
  }
  CHECK(thinned_count(fixture) > 3);
  const std::vector<int> expected(left.begin(), left.end());
  SUBCASE("what is left comes back in order") {
    channel.channel.close();
    CHECK(take_all(fixture.channel(), "q") == expected);
  }
  SUBCASE("what is left is there after a kill, in order") {
    fixture.open();
    CHECK(take_all(fixture.channel(), "q") == expected);
  }
}

TEST_CASE("what leaves its queue in order is never written anew") {
  VhostFixture fixture;
  fill(fixture);
  TestChannel& channel = fixture.channel();
  for (int number = 0; number < 1000; ++number) {
    CHECK(std::stoi(channel.get("q", true)) == number);
    if (number % 5 == 0) pass_time(fixture, 0);
    fixture.publish_numbers("q", 1000 + number, 1001 + number);
    CHECK(thinned_count(fixture) == 0);
  }
  CHECK(take_all(channel, "q") == numbers(1000, 2000));
}

TEST_CASE("a queue goes on in the middle of a pile that gets a new file") {
  VhostFixture fixture;
  fill(fixture);
  TestChannel& channel = fixture.channel();
  // All messages but every tenth leave from the middle, as if another client had taken them.
  for (int i = 0; i < 1000; ++i)
    channel.get("q");
  settle_if(fixture, channel, [](int number) { return number % 10 != 0; });
  fixture.open();
  TestChannel& second = fixture.channel();
  for (int i = 0; i < 25; ++i)
    CHECK(std::stoi(second.get("q")) == i * 10);
  pass_time(fixture, 10);
  CHECK(thinned_count(fixture) > 3);
  for (int i = 25; i < 60; ++i)
    CHECK(std::stoi(second.get("q")) == i * 10);
  CHECK(second.settle(25, true) == 0);
  fixture.sync();
  second.channel.close();
  CHECK(take_all(fixture.channel(), "q") == numbers(250, 1000, 10));
  CHECK(fixture.failure.empty());
}

TEST_CASE("how often a message came back is known behind a new file") {
  VhostFixture fixture;
  fill(fixture);
  TestChannel& channel = fixture.channel();
  for (int i = 0; i < 1000; ++i)
    channel.get("q");
  settle_if(fixture, channel, [](int number) { return number % 100 >= 10; });
  CHECK(channel.settle(4, false, engine::Settlement::requeue) == 0);
  pass_time(fixture);
  CHECK(thinned_count(fixture) > 3);
  CHECK(channel.settle(6, false, engine::Settlement::requeue) == 0);
  CHECK(channel.settle(8) == 0);
  fixture.sync();
  SUBCASE("after a kill") {
    fixture.open();
  }
  SUBCASE("after a clean stop") {
    fixture.close_and_open();
  }
  TestChannel& after = fixture.channel();
  for (const int number : {0, 1, 2, 3, 4, 5, 6, 8}) {
    const std::string body = after.get("q");
    CHECK(std::stoi(body) == number);
    CHECK(body.ends_with('*'));
  }
}

TEST_CASE("without room for a new file the old one stays, until there is") {
  VhostFixture fixture;
  fill(fixture);
  TestChannel& channel = fixture.channel();
  for (int i = 0; i < 1000; ++i)
    channel.get("q");
  fixture.files.set_capacity(fixture.files.used_bytes());
  settle_if(fixture, channel, [](int number) { return number % 10 != 0; });
  CHECK(fixture.failure.empty());
  CHECK(thinned_count(fixture) == 0);
  fixture.files.set_capacity(1u << 30);
  fixture.log().retry_reserve();
  pass_time(fixture);
  CHECK(thinned_count(fixture) > 3);
  fixture.open();
  CHECK(take_all(fixture.channel(), "q") == numbers(0, 1000, 10));
}

TEST_CASE("damage in what nobody needs any more ends nothing") {
  VhostFixture fixture;
  fill(fixture);
  TestChannel& channel = fixture.channel();
  for (int i = 0; i < 1000; ++i)
    channel.get("q");
  for (const std::string& path : fixture.files.paths()) {
    // Damages the header of the first block.
    if (path.ends_with(".pile")) fixture.files.bytes(path)[log::pile_header_size] ^= 1;
  }
  settle_if(fixture, channel, [](int number) { return number % 10 != 0; });
  pass_time(fixture);
  CHECK(thinned_count(fixture) == 0);
  CHECK(fixture.failure.empty());
  channel.settle(0, true);
  fixture.sync();
  fixture.sync();
  CHECK(fixture.count_files(".pile") == 0);
  CHECK(fixture.open().message_counts.at("q") == 0);
}

TEST_CASE("a purge and a deletion give space back, too") {
  for (const bool is_deleted : {false, true}) {
    CAPTURE(is_deleted);
    VhostFixture fixture;
    fixture.open();
    fixture.declare("kept");
    fixture.declare("gone");
    fixture.declare("other");
    for (int number = 0; number < 1000; ++number)
      fixture.publish_numbers(number % 100 == 0 ? "kept" : "gone", number, number + 1);
    fixture.move_all();
    fixture.sync();
    std::size_t count = 0;
    if (is_deleted) {
      CHECK_FALSE(fixture.engine().delete_queue("gone", 0, false, false, count));
    } else {
      engine::Purge purge;
      CHECK_FALSE(fixture.engine().purge_queue("gone", 0, purge));
      count = purge.message_count;
    }
    CHECK(count == 990);
    pass_time(fixture, 10);
    CHECK(pile_bytes(fixture) < 20 * (message_bytes + log::pile_header_size * 4));
    fixture.open();
    CHECK(take_all(fixture.channel(), "kept") == numbers(0, 1000, 100));
  }
}
