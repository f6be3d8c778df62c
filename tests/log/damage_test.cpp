// How the log reads files that are not as it has left them.
#include <doctest/doctest.h>

#include "log/checkpoint.hpp"
#include "log/pile.hpp"
#include "log/record.hpp"
#include "support/log_fixture.hpp"
#include "support/vhost_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

// Publishes three messages, each synced by itself, and closes the log.
void fill(LogFixture& fixture) {
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  for (const char* body : {"one", "two", "three"}) {
    fixture.publish(body);
    fixture.sync();
  }
}

// Makes several segments, with a message that keeps them.
void fill_segments(LogFixture& fixture) {
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  for (int i = 0; i < 100; ++i) {
    fixture.publish(std::string(200, 'x'));
    fixture.sync();
  }
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a flipped bit in what was synced refuses the start, or is without effect") {
  LogFixture fixture;
  fill(fixture);
  fixture.log->close_clean();
  const std::string path = fixture.segment_path(1);
  const std::string good = fixture.files.bytes(path);
  const std::size_t used = good.find_last_not_of('\0') + 1;
  // The last batch has only the mark of the clean stop, and nothing after it says that it was
  // there.
  const std::size_t last_batch = (used - 1 - log::batch_header_size) / 8 * 8;
  std::size_t harmless = 0;
  for (std::size_t at = 0; at < used; ++at) {
    for (const int bit : {0, 5}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      fixture.files.put(path, bad);
      CAPTURE(at);
      const std::string refused = fixture.refusal();
      if (refused.empty()) {
        // The change is between two batches, or in the mark of the clean stop.
        const bool clean = at < last_batch;
        CHECK(fixture.recovered.text(1) == (clean ? "one two three" : "one* two* three*"));
        ++harmless;
      } else {
        CHECK(contains(refused, path));
      }
    }
  }
  CHECK(harmless < used / 2);
}

TEST_CASE("a flipped bit right before a restart refuses the next start") {
  LogFixture fixture;
  fill(fixture);
  fixture.open();
  std::string& bytes = fixture.files.bytes(fixture.segment_path(1));
  bytes[bytes.find("three")] ^= 1;
  CHECK(contains(fixture.refusal(), "all before it was durable"));
}

TEST_CASE("a log that ends before its checkpoint refuses the start") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  fixture.sync();
  while (fixture.files.exists(fixture.segment_path(1))) {
    fixture.log->ack({1, fixture.publish(std::string(200, 'x'))});
    fixture.sync();
  }
  fixture.log.reset();
  const std::string path = fixture.segment_path(2);
  fixture.files.put(path, fixture.files.bytes(path).substr(0, log::segment_header_size));
  CHECK(contains(fixture.refusal(), "the checkpoint says"));
}

// A log cannot get there by itself.
TEST_CASE("a segment whose positions are beyond all numbers refuses the start") {
  LogFixture fixture;
  const std::uint32_t size = 1u << 20;
  const std::uint64_t number = std::uint64_t{1} << 45;
  std::string segment =
      log::encode(log::SegmentHeader{.number = number, .segment_size = size}, test::directory_id);
  std::string batch(log::batch_header_size, '\0');
  const engine::QueueId queue = 1;
  log::append_queue(batch, test::queue_definition(queue));
  log::append_publish(batch, {.exchange = "", .routing_key = "", .properties = "", .body = "m"},
                      {&queue, 1}, 0);
  const std::string_view records = std::string_view(batch).substr(log::batch_header_size);
  const log::LogPosition position = number * size + segment.size();
  log::encode({static_cast<std::uint32_t>(records.size()), 1, position, 0,
               log::checksum(records, test::directory_id, position)},
              test::directory_id, batch);
  segment += batch;
  fixture.files.put(fixture.segment_path(number), segment);
  log::Piles none;
  fixture.files.put("log/checkpoint",
                    log::encode_checkpoint({.first_segment = number, .position = log::position_max},
                                           {}, none, test::directory_id));
  CHECK(contains(fixture.refusal(), ".seg' has an impossible number"));
}

// A log does not leave such bytes by itself.
TEST_CASE("what is behind a torn end never goes on from what is written there") {
  LogFixture fixture;
  fill(fixture);
  const std::string path = fixture.segment_path(1);
  std::string bytes = fixture.files.bytes(path);
  const std::size_t end = log::align(bytes.find_last_not_of('\0') + 1);
  // Leaves a gap, as if the batch in front of this one had not been written.
  const std::size_t at = end + 64;
  std::string batch(log::batch_header_size, '\0');
  batch += static_cast<char>(log::RecordType::clean_stop);
  const log::LogPosition position = 4096 + at;
  const std::uint64_t checksum =
      log::checksum(batch.substr(log::batch_header_size), test::directory_id, position);
  log::encode({1, 5, position, 0, checksum}, test::directory_id, batch);
  bytes.replace(at, batch.size(), batch);
  fixture.files.put(path, bytes);
  CHECK(fixture.open().torn_bytes > 0);
  CHECK(fixture.open().torn_bytes == 0);
  for (int i = 0; i < 3; ++i) {
    fixture.publish("four");
    fixture.sync();
  }
  CHECK(fixture.open().torn_bytes == 0);
  CHECK(fixture.recovered.text(1) == "one* two* three* four* four* four*");
}

TEST_CASE("a last batch that is not whole is cut off and reported") {
  LogFixture fixture;
  fill(fixture);
  const std::string path = fixture.segment_path(1);
  std::string bytes = fixture.files.bytes(path);
  const std::size_t at = bytes.find("three");
  bytes[at] = 'T';
  fixture.files.put(path, bytes);
  const log::RecoveryReport report = fixture.open();
  CHECK(report.torn_bytes > 0);
  CHECK(contains(report.torn_reason, "0000000000000001.seg"));
  CHECK(fixture.recovered.text(1) == "one* two*");
  // What is written over the torn end is read next time, and nothing of what was there.
  fixture.publish("four");
  fixture.sync();
  CHECK(fixture.open().torn_bytes == 0);
  CHECK(fixture.recovered.text(1) == "one* two* four*");
}

TEST_CASE("a segment cut short at any sector loses its end only") {
  LogFixture fixture(16384);
  fill_segments(fixture);
  fixture.log.reset();
  const std::string path = fixture.segment_path(2);
  const std::string good = fixture.files.bytes(path);
  std::size_t before = 0;
  for (std::size_t size = 512; size < good.size(); size += 512) {
    fixture.files.put(path, good.substr(0, size));
    CHECK(fixture.refusal() == "");
    const std::size_t count = fixture.recovered.messages.at(1).size();
    CHECK(count >= before);
    before = count;
  }
  CHECK(before == 100);
}

TEST_CASE("a last segment that is all zeros, and that nothing tells of, is none") {
  LogFixture fixture;
  fill_segments(fixture);
  const std::size_t count = fixture.log->segment_count();
  fixture.log.reset();
  fixture.files.put(fixture.segment_path(count + 1), std::string(4096, '\0'));
  fixture.open();
  CHECK(fixture.recovered.messages.at(1).size() == 100);
  for (int i = 0; i < 20; ++i) {
    fixture.publish(std::string(200, 'y'));
    fixture.sync();
  }
  fixture.open();
  CHECK(fixture.recovered.messages.at(1).size() == 120);
}

TEST_CASE("missing, doubled and foreign segments refuse the start by name") {
  LogFixture fixture;
  fill_segments(fixture);
  fixture.log.reset();
  const std::string second = fixture.segment_path(2);
  SUBCASE("missing in the middle") {
    fixture.files.drop(second);
    CHECK(contains(fixture.refusal(), "0000000000000002.seg' is missing"));
  }
  SUBCASE("missing at the front") {
    fixture.files.drop(fixture.segment_path(1));
    CHECK(contains(fixture.refusal(), "0000000000000001.seg' is missing"));
  }
  SUBCASE("doubled") {
    fixture.files.put(second, fixture.files.bytes(fixture.segment_path(3)));
    CHECK(contains(fixture.refusal(), "0000000000000002.seg' is 0000000000000003.seg under"));
  }
  SUBCASE("foreign") {
    LogFixture other;
    fill_segments(other);
    other.log.reset();
    std::string bytes = other.files.bytes(second);
    bytes[20] = 'x';
    fixture.files.put(second, bytes);
    CHECK(contains(fixture.refusal(), "belongs to another data directory"));
  }
  SUBCASE("of another version") {
    std::string bytes = fixture.files.bytes(second);
    bytes[8] = 99;
    fixture.files.put(second, bytes);
    CHECK(contains(fixture.refusal(), "format version 99, expected 1 to 5"));
  }
  SUBCASE("no segment at all") {
    fixture.files.put(second, "something else");
    CHECK(contains(fixture.refusal(), "0000000000000002.seg'"));
  }
}

TEST_CASE("a checkpoint that knows more than was logged refuses the start") {
  LogFixture fixture;
  fixture.open();
  fixture.publish("x");
  fixture.sync();
  const log::LogPosition end = fixture.log->end();
  fixture.log.reset();
  log::Piles piles;
  std::string expected;
  log::CheckpointHead head{.position = end, .moved = end};
  SUBCASE("of what has moved") {
    head.moved = end + 1;
    expected = "more has moved than was logged";
  }
  SUBCASE("of piles that are yet to come") {
    piles.add({.number = end, .file = end, .size = log::pile_header_size});
    expected = "malformed record";
  }
  SUBCASE("of a pile's file that is yet to come") {
    piles.add({.number = 1, .file = end, .size = log::pile_header_size});
    expected = "malformed record";
  }
  SUBCASE("of piles in no order") {
    for (const log::LogPosition number : {end - 1, end - 2})
      piles.add({.number = number, .file = number, .size = log::pile_header_size});
    expected = "malformed record";
  }
  fixture.files.put("log/checkpoint", log::encode_checkpoint(head, {}, piles, test::directory_id));
  CHECK(contains(fixture.refusal(), expected));
}

TEST_CASE("a damaged end of a segment that is not the last refuses the start") {
  LogFixture fixture;
  fill_segments(fixture);
  fixture.log.reset();
  std::string bytes = fixture.files.bytes(fixture.segment_path(2));
  bytes[bytes.find_last_not_of('\0')] ^= 1;
  fixture.files.put(fixture.segment_path(2), bytes);
  CHECK(contains(fixture.refusal(), "the next segment goes on behind it"));
}

TEST_CASE("a damaged checkpoint refuses the start") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  for (int i = 0; i < 100; ++i) {
    fixture.log->ack({1, fixture.publish(std::string(200, 'x'))});
    fixture.sync();
  }
  fixture.log.reset();
  const std::string good = fixture.files.bytes("log/checkpoint");
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    fixture.files.put("log/checkpoint", bad);
    CHECK(contains(fixture.refusal(), "log/checkpoint"));
  }
}

TEST_CASE("damage in the first block of a pile refuses the start, whatever the queue is like") {
  const std::string priorities(
      "\x0ex-max-priority"
      "b\x05",
      17);
  const std::string ttl(
      "\x0dx-message-ttl"
      "I\x7f\x00\x00\x00",
      19);
  for (const std::string& arguments : {std::string(), priorities, ttl, priorities + ttl}) {
    for (std::uint8_t priority = 0; priority < 3; ++priority) {
      test::VhostFixture fixture;
      fixture.open();
      fixture.engine().set_now(1'000'000);
      fixture.declare("q", arguments);
      for (int number = 0; number < 20; ++number)
        fixture.publish("q", std::to_string(number), true, priority);
      fixture.sync();
      fixture.move_all();
      fixture.vhost.reset();
      std::string path;
      for (const std::string& each : fixture.files.paths())
        path = each.ends_with(".pile") ? each : path;
      REQUIRE_FALSE(path.empty());
      fixture.files.bytes(path)[log::pile_header_size + log::block_header_size + 3] ^= 1;
      std::string refused;
      try {
        fixture.open();
      } catch (const log::DamageError& error) {  // for this kind --check shows more
        refused = error.what();
      }
      CHECK(contains(refused, path));
      CHECK(contains(refused, "offset 64"));
    }
  }
}
