// Logs of format version 4, which had no file that tells the newest segment, can still be read.
#include <doctest/doctest.h>

#include "support/hex_dump.hpp"
#include "support/log_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

// The example of the document for version 4: a start; queue 1, task_queue, and a message in it; a
// group that acknowledges it and publishes it again, with a time.
constexpr const char* example = R"(
0000  48 41 59 4c 4f 47 0d 0a 04 00 00 00 00 10 00 00
0010  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
0020  01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
0030  00 00 00 00 00 00 00 00 aa 4a e2 af ff 66 6d 19
0040  01 00 00 00 01 00 00 00 40 10 00 00 00 00 00 00
0050  00 00 00 00 00 00 00 00 4c 91 18 92 7e 23 b9 97
0060  85 12 be 4a 8e 38 8e d9 0d 00 00 00 00 00 00 00
0070  2f 00 00 00 01 00 00 00 70 10 00 00 00 00 00 00
0080  69 10 00 00 00 00 00 00 da a6 f2 bf 43 3a 4d db
0090  d7 27 6d d2 c6 18 ee 66 05 01 0a 74 61 73 6b 5f
00a0  71 75 65 75 65 00 00 01 01 01 00 0a 74 61 73 6b
00b0  5f 71 75 65 75 65 03 10 00 02 0c 48 65 6c 6c 6f
00c0  20 57 6f 72 6c 64 21 00 2b 00 00 00 01 00 00 00
00d0  c8 10 00 00 00 00 00 00 c7 10 00 00 00 00 00 00
00e0  b7 5c af 2f b0 a2 02 3e 5c 0f 77 3f 8b f8 49 5d
00f0  13 02 01 4a 10 80 d8 c1 a2 8c 34 01 01 00 0a 74
0100  61 73 6b 5f 71 75 65 75 65 03 10 00 02 0c 48 65
0110  6c 6c 6f 20 57 6f 72 6c 64 21 14 00 00 00 00 00
)";

void put_example(LogFixture& fixture) {
  std::string bytes = test::from_hex_dump(example);
  bytes.resize(4096, '\0');
  fixture.files.put(fixture.segment_path(1), bytes);
}

}  // namespace

TEST_CASE("a log of version 4 is read, and goes on in the version of today") {
  LogFixture fixture;
  put_example(fixture);
  fixture.open();
  CHECK(fixture.recovered.text(1) == "Hello World!*");
  CHECK(fixture.recovered.messages.at(1).front().published_at == 1'790'000'000'000);
  fixture.publish("more", {1}, 1'790'000'001'000);
  fixture.sync();
  CHECK(fixture.files.bytes(fixture.segment_path(1))[8] == 4);
  CHECK(fixture.files.bytes(fixture.segment_path(2))[8] == log::format_version);
  CHECK(fixture.files.bytes("log/checkpoint")[8] == log::format_version);
  CHECK(fixture.files.exists("log/newest"));
  fixture.open();
  CHECK(fixture.recovered.text(1) == "Hello World!* more*");
  CHECK(fixture.recovered.messages.at(1).back().published_at == 1'790'000'001'000);
}

TEST_CASE("whatever ends the first start with a log of version 4, the next one reads it") {
  for (int calls = 1; calls < 40; ++calls) {
    CAPTURE(calls);
    LogFixture fixture;
    put_example(fixture);
    fixture.files.lose_power_after(static_cast<std::uint64_t>(calls));
    try {
      fixture.open();
    } catch (const test::PowerLoss&) {
    }
    fixture.log.reset();
    std::mt19937 random(7);
    fixture.files.restart(random);
    fixture.open();
    CHECK(fixture.recovered.text(1) == "Hello World!*");
  }
}
