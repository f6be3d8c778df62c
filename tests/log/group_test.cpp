// Groups: everything that is published and acknowledged between begin_group() and end_group() is
// there after a crash, or nothing of it.
#include <doctest/doctest.h>

#include <functional>
#include <iterator>

#include "log/checkpoint.hpp"
#include "support/log_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

void open_with_queues(LogFixture& fixture) {
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  fixture.log->declare_queue(test::queue_definition(2));
  fixture.sync();
}

// Opens the log as after a kill while it had more to write.
void kill_and_open(LogFixture& fixture) {
  fixture.files.lose_power_after(0);
  fixture.open();
}

std::string used_bytes(LogFixture& fixture) {
  const std::string& bytes = fixture.files.bytes(fixture.segment_path(1));
  return bytes.substr(0, bytes.find_last_not_of('\0') + 1);
}

// Returns the bytes that `work` writes, always with the same start.
std::string bytes_after(const std::function<void(LogFixture&, engine::LogPosition)>& work) {
  LogFixture fixture;
  open_with_queues(fixture);
  const auto message = fixture.publish("m");
  fixture.sync();
  work(fixture, message);
  fixture.sync();
  return used_bytes(fixture);
}

using Entries = std::vector<test::Recovered::Entry>;

std::size_t size_of(const Entries& entries) {
  std::size_t size = 0;
  for (const auto& entry : entries)
    size += entry.body.size();
  return size;
}

// Moves four messages from queue 1 to queue 2, one of them larger than a segment, which takes
// several segments. `between` is called after each step.
constexpr std::size_t body_sizes[] = {1200, 1300, 9000, 10};
void publish_to_move(LogFixture& fixture) {
  for (const std::size_t size : body_sizes)
    fixture.publish(std::string(size, 'x'));
}
void move_all(
    LogFixture& fixture, const Entries& messages, const std::function<void()>& between = [] {}) {
  fixture.log->begin_group();
  for (const auto& message : messages) {
    fixture.log->ack({1, message.position});
    between();
    fixture.publish(message.body, {2});
    between();
  }
  fixture.log->end_group();
}

}  // namespace

TEST_CASE("a group is there as a whole once it is durable") {
  LogFixture fixture;
  open_with_queues(fixture);
  const auto a = fixture.publish("a");
  fixture.publish("b");
  fixture.log->begin_group();
  const auto c = fixture.publish("c", {1, 2});
  fixture.log->ack({1, a});
  fixture.log->ack({1, c});
  fixture.publish("d");
  fixture.log->end_group();
  fixture.publish("e");
  fixture.sync();
  for (int start = 0; start < 2; ++start) {
    fixture.reopen();
    CHECK(fixture.recovered.text(1) == "b* d* e*");
    CHECK(fixture.recovered.text(2) == "c*");
    CHECK(fixture.recovered.messages.at(2).front().position == c);
  }
}

TEST_CASE("what needs no marks has none") {
  const std::string ack = bytes_after([](LogFixture& fixture, engine::LogPosition message) {
    fixture.log->ack({1, message});
  });
  const std::string ack_in_group =
      bytes_after([](LogFixture& fixture, engine::LogPosition message) {
        fixture.log->begin_group();
        fixture.log->ack({1, message});
        fixture.log->end_group();
      });
  CHECK(ack_in_group == ack);
  const std::string nothing = bytes_after([](LogFixture&, engine::LogPosition) {});
  const std::string empty_group = bytes_after([](LogFixture& fixture, engine::LogPosition) {
    fixture.log->begin_group();
    fixture.log->end_group();
  });
  CHECK(empty_group == nothing);
}

TEST_CASE("groups of every length from every place up to the end of a segment") {
  for (std::size_t size = 3300; size < 4100; ++size) {
    CAPTURE(size);
    LogFixture fixture;
    open_with_queues(fixture);
    const auto a = fixture.publish("a");
    const auto b = fixture.publish("b");
    fixture.publish(std::string(size, 'x'));
    fixture.log->begin_group();
    fixture.log->ack({1, a});
    fixture.log->end_group();
    fixture.log->begin_group();
    fixture.log->ack({1, b});
    fixture.publish("b", {2});
    fixture.log->end_group();
    fixture.sync();
    fixture.reopen();
    CHECK(fixture.recovered.messages.at(1).size() == 1);
    CHECK(fixture.recovered.text(2) == "b*");
  }
}

TEST_CASE("a group torn at any call to the disk is there whole or not at all") {
  constexpr std::size_t all_count = std::size(body_sizes);
  int whole = 0;
  int none = 0;
  for (std::uint64_t calls = 1; calls < 60; ++calls) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      CAPTURE(calls);
      CAPTURE(seed);
      LogFixture fixture;
      open_with_queues(fixture);
      publish_to_move(fixture);
      fixture.sync();
      fixture.open();
      const Entries messages = fixture.recovered.messages.at(1);
      fixture.files.lose_power_after(calls);
      try {
        // In half of the runs, what there is so far is written in the middle of the group.
        move_all(fixture, messages, [&] {
          if (seed % 2 == 0) fixture.log->step();
        });
        fixture.sync();
      } catch (const test::PowerLoss&) {
      }
      std::mt19937 random(seed);
      fixture.log.reset();
      if (seed >= 5) fixture.files.restart(random);  // a loss of power; otherwise a kill
      kill_and_open(fixture);
      const bool moved = fixture.recovered.messages.at(1).empty();
      const Entries& there = fixture.recovered.messages.at(moved ? 2 : 1);
      CHECK(there.size() == all_count);
      CHECK(size_of(there) == size_of(messages));
      CHECK(fixture.recovered.messages.at(moved ? 1 : 2).empty());
      ++(moved ? whole : none);
      // The log continues behind the group, and what did not count never will.
      fixture.log->begin_group();
      fixture.publish("after", {moved ? 2u : 1u});
      fixture.publish("that", {moved ? 2u : 1u});
      fixture.log->end_group();
      fixture.sync();
      fixture.reopen();
      CHECK(fixture.recovered.messages.at(moved ? 2 : 1).size() == all_count + 2);
      CHECK(fixture.recovered.messages.at(moved ? 1 : 2).empty());
    }
  }
  CHECK(whole > 0);
  CHECK(none > 0);
}

TEST_CASE("nothing in a group is durable before all of it is") {
  LogFixture fixture;
  open_with_queues(fixture);
  publish_to_move(fixture);
  fixture.sync();
  fixture.open();
  const engine::LogPosition before = fixture.log->durable();
  std::vector<engine::LogPosition> ends;
  move_all(fixture, fixture.recovered.messages.at(1), [&] {
    ends.push_back(fixture.log->end());
    fixture.log->step();
    CHECK(fixture.log->durable() == before);
  });
  for (const engine::LogPosition end : ends)
    CHECK(end > before);
  fixture.log->step();
  CHECK(fixture.log->durable() == before);
  fixture.sync();
  CHECK(fixture.log->durable() == fixture.log->end());
}

TEST_CASE("an open group is not handed over") {
  LogFixture fixture;
  open_with_queues(fixture);
  const auto a = fixture.publish("a");
  fixture.log->begin_group();
  fixture.log->ack({1, a});
  fixture.sync();
  fixture.publish("a", {2});
  fixture.sync();
  SUBCASE("and is gone if it never ends") {
    fixture.reopen();
    CHECK(fixture.recovered.text(1).empty());
    CHECK(fixture.recovered.text(2).empty());
  }
  SUBCASE("but with what comes after its end") {
    fixture.log->end_group();
    fixture.sync();
    fixture.reopen();
    CHECK(fixture.recovered.text(1).empty());
    CHECK(fixture.recovered.text(2) == "a*");
  }
}

TEST_CASE("a segment that a group empties is kept until the group is durable") {
  LogFixture fixture;
  open_with_queues(fixture);
  const auto first = fixture.publish("first");
  fixture.publish(std::string(3800, 'x'));  // in the second segment
  fixture.sync();
  fixture.log->begin_group();
  fixture.log->ack({1, first});
  fixture.publish("moved", {2});
  fixture.publish(std::string(9000, 'x'), {2});
  fixture.log->step();  // the acknowledgement is on disk, the end of the group is not
  fixture.log->end_group();
  fixture.log->flush();
  SUBCASE("and comes back if it never is") {
    fixture.files.lose_power_after(1);
    CHECK_THROWS_AS(fixture.log->step(), test::PowerLoss);
    kill_and_open(fixture);
    CHECK(fixture.recovered.messages.at(1).front().body == "first");
    CHECK(fixture.recovered.text(2).empty());
  }
  SUBCASE("and given up then") {
    fixture.log->step();
    fixture.sync();
    CHECK_FALSE(fixture.files.exists(fixture.segment_path(1)));
    fixture.open();
    CHECK(fixture.recovered.messages.at(1).size() == 1);
    CHECK(fixture.recovered.messages.at(2).size() == 2);
  }
}

TEST_CASE("of a group that was cut short nothing comes up again when its beginning is given up") {
  LogFixture fixture;
  open_with_queues(fixture);
  fixture.log->begin_group();
  for (int i = 0; i < 40; ++i) {
    fixture.publish(std::string(200, 'x'), {2});
    fixture.log->step();
  }
  fixture.reopen();
  CHECK(fixture.recovered.text(2).empty());
  const auto kept = fixture.publish("kept");
  fixture.sync();
  fixture.sync();
  // No message of the group keeps a segment.
  CHECK(fixture.log->segment_count() == 1);
  CHECK_FALSE(fixture.files.exists(fixture.segment_path(1)));
  for (int start = 0; start < 2; ++start) {
    fixture.reopen();
    CHECK(fixture.recovered.text(1) == "kept*");
    CHECK(fixture.recovered.messages.at(1).front().position == kept);
    CHECK(fixture.recovered.text(2).empty());
  }
}

TEST_CASE("a group is told by its mark in each segment, whatever has been given up before it") {
  for (const bool has_end : {true, false}) {
    LogFixture fixture;
    open_with_queues(fixture);
    fixture.log->begin_group();
    for (int i = 0; i < 40; ++i)
      fixture.publish(std::string(200, 'x'), {2});
    if (has_end) {
      fixture.log->end_group();
      fixture.sync();
    } else {
      fixture.log->step();
    }
    log::Checkpoint checkpoint;
    checkpoint.first_segment = 2;
    checkpoint.position = std::uint64_t{2} * 4096;
    checkpoint.catalog.declare_queue(test::queue_definition(2));
    fixture.files.drop(fixture.segment_path(1));
    fixture.files.put("log/checkpoint",
                      log::encode_checkpoint(checkpoint, checkpoint.catalog, checkpoint.piles,
                                             test::directory_id));
    fixture.open();
    const std::size_t count = fixture.recovered.messages.at(2).size();
    CHECK((has_end ? count > 0 && count < 40 : count == 0));
  }
}

TEST_CASE("other things that are said within a group are there by themselves") {
  LogFixture fixture;
  open_with_queues(fixture);
  const auto a = fixture.publish("a");
  fixture.sync();
  fixture.log->begin_group();
  fixture.log->ack({1, a});
  fixture.log->declare_queue(test::queue_definition(3));
  fixture.log->set_delivery_count({1, a}, 7);
  fixture.publish(std::string(9000, 'x'));
  fixture.log->step();
  fixture.reopen();
  CHECK(fixture.recovered.queues.size() == 3);
  CHECK(fixture.recovered.text(1) == "a*");
  CHECK(fixture.recovered.messages.at(1).front().delivery_count == 7);
}
