// Logs of format version 1, which had no record types from 16 on, can still be read.
#include <doctest/doctest.h>

#include "support/hex_dump.hpp"
#include "support/log_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

// The example of the document for version 1: a start; queue 1, task_queue, and a message in it; its
// acknowledgement.
constexpr std::size_t ack_batch_at = 0xc8;
constexpr const char* example = R"(
0000  48 41 59 4c 4f 47 0d 0a 01 00 00 00 00 10 00 00
0010  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
0020  01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
0030  00 00 00 00 00 00 00 00 28 05 87 5b 61 d3 69 d2
0040  01 00 00 00 01 00 00 00 40 10 00 00 00 00 00 00
0050  00 00 00 00 00 00 00 00 4c 91 18 92 7e 23 b9 97
0060  85 12 be 4a 8e 38 8e d9 0d 00 00 00 00 00 00 00
0070  2f 00 00 00 01 00 00 00 70 10 00 00 00 00 00 00
0080  69 10 00 00 00 00 00 00 da a6 f2 bf 43 3a 4d db
0090  d7 27 6d d2 c6 18 ee 66 05 01 0a 74 61 73 6b 5f
00a0  71 75 65 75 65 00 00 01 01 01 00 0a 74 61 73 6b
00b0  5f 71 75 65 75 65 03 10 00 02 0c 48 65 6c 6c 6f
00c0  20 57 6f 72 6c 64 21 00 03 00 00 00 01 00 00 00
00d0  c8 10 00 00 00 00 00 00 c7 10 00 00 00 00 00 00
00e0  2d cb 31 1a bc 46 05 52 c3 df 11 58 c6 bb 74 af
00f0  02 01 49 00 00 00 00 00 00 00 00 00 00 00 00 00
0100  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
0110  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
)";

void put_example(LogFixture& fixture, std::size_t used) {
  std::string bytes = test::from_hex_dump(example).substr(0, used);
  bytes.resize(4096, '\0');
  fixture.files.put(fixture.segment_path(1), bytes);
}

// Changes the files to version 1. They must not contain newer records.
void turn_back(test::MemFileSystem& files) {
  files.drop("log/newest");
  for (const std::string& path : files.paths()) {
    std::string bytes = files.bytes(path);
    if (path.ends_with(".seg")) {
      const std::string header =
          log::encode(log::SegmentHeader{.number = log::get_u64(bytes, 32),
                                         .segment_size = log::get_u32(bytes, 12),
                                         .version = 1},
                      test::directory_id);
      bytes.replace(0, header.size(), header);
    } else if (path.ends_with("checkpoint")) {
      bytes[8] = 1;
      bytes.erase(48, 8);  // version 3 has moved messages
      bytes.resize(bytes.size() - 8);
      log::put_u64(bytes, log::checksum(bytes, test::directory_id, log::get_u64(bytes, 40)));
    } else {
      continue;
    }
    files.put(path, bytes);
  }
}

std::uint32_t version_of(LogFixture& fixture, std::uint64_t segment) {
  return log::get_u32(fixture.files.bytes(fixture.segment_path(segment)), 8);
}

// Makes a checkpoint, and several segments behind it.
void fill(LogFixture& fixture) {
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  for (int i = 0; i < 100; ++i) {
    const auto position = fixture.publish(std::string(200, 'x'));
    if (i < 50) fixture.log->ack({1, position});
    fixture.sync();
  }
  fixture.log.reset();
  REQUIRE(fixture.files.exists("log/checkpoint"));
  turn_back(fixture.files);
}

}  // namespace

TEST_CASE("the example of version 1 is read") {
  LogFixture fixture;
  SUBCASE("with its acknowledgement") {
    put_example(fixture, 4096);
    fixture.open();
    CHECK(fixture.recovered.queues.at(0).name == "task_queue");
    CHECK(fixture.recovered.text(1).empty());
  }
  SUBCASE("up to it") {
    put_example(fixture, ack_batch_at);
    fixture.open();
    CHECK(fixture.recovered.text(1) == "Hello World!*");
    CHECK(fixture.recovered.messages.at(1).front().position == 0x10a7);
    CHECK(fixture.recovered.last.routing_key == "task_queue");
  }
}

TEST_CASE("a log of version 1 goes on in a new segment, of the version of today") {
  LogFixture fixture;
  put_example(fixture, ack_batch_at);
  fixture.open();
  CHECK(fixture.log->segment_count() == 2);
  fixture.publish("more");
  fixture.sync();
  fixture.reopen();
  CHECK(fixture.recovered.text(1) == "Hello World!* more*");
  CHECK(fixture.log->segment_count() == 2);
  CHECK(version_of(fixture, 1) == 1);
  CHECK(version_of(fixture, 2) == log::format_version);
}

TEST_CASE("a checkpoint and segments of version 1 are read, and replaced as they are recycled") {
  LogFixture fixture;
  fill(fixture);
  fixture.open();
  const auto messages = fixture.recovered.messages.at(1);
  REQUIRE(messages.size() == 50);
  for (const auto& message : messages)
    fixture.log->ack({1, message.position});
  fixture.publish("last");
  fixture.sync();
  fixture.sync();
  CHECK(fixture.files.bytes("log/checkpoint")[8] == log::format_version);
  fixture.open();
  CHECK(fixture.recovered.text(1) == "last*");
}

TEST_CASE("a loss of power while a log is converted loses nothing") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    for (std::uint64_t calls = 1; calls <= 12; ++calls) {
      CAPTURE(seed);
      CAPTURE(calls);
      LogFixture fixture;
      fill(fixture);
      std::mt19937 random(seed);
      fixture.files.lose_power_after(calls);
      try {
        fixture.open();
      } catch (const test::PowerLoss&) {
      }
      fixture.log.reset();
      fixture.files.restart(random);
      fixture.open();
      CHECK(fixture.recovered.messages.at(1).size() == 50);
      fixture.publish("after");
      fixture.sync();
      fixture.open();
      CHECK(fixture.recovered.messages.at(1).size() == 51);
    }
  }
}
