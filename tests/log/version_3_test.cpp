// Piles and checkpoints of format version 3, which had no thinned piles, can still be read.
#include <doctest/doctest.h>

#include "log/log_inspector.hpp"
#include "support/hex_dump.hpp"
#include "support/vhost_fixture.hpp"

using namespace haypile;
using test::VhostFixture;

namespace {

// The files of version 3: the queues q and r have the messages 0 to 5 each, which were moved to a
// pile. Messages 0 and 1 of q were acknowledged there, and 2 came back; 6 and 7 came afterwards.
constexpr const char* segment = R"(
48 41 59 4c 4f 47 0d 0a 03 00 00 00 00 10 00 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 6b a8 04 88 86 33 01 e0
01 00 00 00 01 00 00 00 40 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 4c 91 18 92 7e 23 b9 97
85 12 be 4a 8e 38 8e d9 0d 00 00 00 00 00 00 00 9e 00 00 00 01 00 00 00 70 10 00 00 00 00 00 00
69 10 00 00 00 00 00 00 06 dc 74 e9 d8 bb 86 a3 2d d4 56 0f da c7 86 16 05 ea 20 01 71 00 00 05
a0 21 01 72 00 00 01 01 ea 20 00 01 71 02 00 00 01 30 01 01 a0 21 00 01 72 02 00 00 01 30 01 01
ea 20 00 01 71 02 00 00 01 31 01 01 a0 21 00 01 72 02 00 00 01 31 01 01 ea 20 00 01 71 02 00 00
01 32 01 01 a0 21 00 01 72 02 00 00 01 32 01 01 ea 20 00 01 71 02 00 00 01 33 01 01 a0 21 00 01
72 02 00 00 01 33 01 01 ea 20 00 01 71 02 00 00 01 34 01 01 a0 21 00 01 72 02 00 00 01 34 01 01
ea 20 00 01 71 02 00 00 01 35 01 01 a0 21 00 01 72 02 00 00 01 35 00 00 01 00 00 00 01 00 00 00
38 11 00 00 00 00 00 00 36 11 00 00 00 00 00 00 91 93 dd e5 29 d0 b8 1b 5a 71 a3 c0 79 d3 d3 ed
15 00 00 00 00 00 00 00 10 00 00 00 01 00 00 00 68 11 00 00 00 00 00 00 61 11 00 00 00 00 00 00
56 1f 76 91 e0 5b a8 cb 95 5a 44 86 87 f1 de 35 16 30 06 01 01 01 ea 20 00 01 71 02 00 00 01 36
10 00 00 00 01 00 00 00 a0 11 00 00 00 00 00 00 a0 11 00 00 00 00 00 00 d6 e8 61 49 19 0f 1f e9
ed a0 0a fe e4 44 34 4f 16 68 07 01 01 01 ea 20 00 01 71 02 00 00 01 37
)";
constexpr const char* pile = R"(
48 41 59 50 49 4c 45 0a 03 00 00 00 00 00 00 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
60 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 64 d5 57 a9 9e 48 f2 aa
44 00 00 00 06 00 00 00 a0 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
8f 91 d4 04 5f d0 b8 9f fc e4 1f 1f 71 12 d1 30 00 00 ae 01 00 01 72 02 00 00 01 30 00 01 96 01
00 01 72 02 00 00 01 31 00 01 7e 00 01 72 02 00 00 01 32 00 01 66 00 01 72 02 00 00 01 33 00 01
4e 00 01 72 02 00 00 01 34 00 01 36 00 01 72 02 00 00 01 35 00 00 00 00 45 00 00 00 06 00 00 00
6a 10 00 00 00 00 00 00 06 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 58 39 1d 3d f1 70 c2 1d
b5 d5 0c 6d 8f 3d 9a fd 00 00 ba 01 00 01 71 02 00 00 01 30 00 01 a2 01 00 01 71 02 00 00 01 31
00 01 8a 01 00 01 71 02 00 00 01 32 00 01 72 00 01 71 02 00 00 01 33 00 01 5a 00 01 71 02 00 00
01 34 00 01 42 00 01 71 02 00 00 01 35
)";
constexpr const char* checkpoint = R"(
48 41 59 43 48 4b 0d 0a 03 00 00 00 00 00 00 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
01 00 00 00 00 00 00 00 61 11 00 00 00 00 00 00 36 11 00 00 00 00 00 00 05 ea 20 01 71 00 00 05
a0 21 01 72 00 00 18 e0 22 b0 02 00 02 a0 21 00 00 06 78 06 06 ea 20 00 00 06 78 06 06 00 00 00
3d ce 40 55 ce 53 59 a4
)";

void put(VhostFixture& fixture, const std::string& name, const char* dump, std::size_t size) {
  std::string bytes = test::from_hex_dump(dump);
  bytes.resize(size, '\0');
  fixture.files.put("log/" + name, bytes);
}

void put_all(VhostFixture& fixture) {
  put(fixture, "0000000000000001.seg", segment, 4096);
  put(fixture, "0000000000001160.pile", pile, 304);
  put(fixture, "checkpoint", checkpoint, 104);
}

std::string take_all(VhostFixture& fixture, const std::string& queue) {
  std::string text;
  while (true) {
    const std::string body = fixture.channel().get(queue, true);
    if (body == "nothing") return text;
    text += body + ' ';
  }
}

}  // namespace

TEST_CASE("a log of version 3 is read") {
  VhostFixture fixture;
  put_all(fixture);
  fixture.open();
  CHECK(take_all(fixture, "q") == "2* 3* 4* 5* 6* 7* ");
  CHECK(take_all(fixture, "r") == "0* 1* 2* 3* 4* 5* ");
}

TEST_CASE("a pile of version 3 outlives its checkpoint") {
  VhostFixture fixture;
  put_all(fixture);
  fixture.open();
  fixture.publish_numbers("q", 8, 100);
  fixture.move_all();
  fixture.sync();
  CHECK(fixture.files.bytes("log/checkpoint")[8] == log::format_version);
  REQUIRE(fixture.files.exists("log/0000000000001160.pile"));
  CHECK(fixture.files.bytes("log/0000000000001160.pile")[8] == 3);
  CHECK(fixture.open().message_counts.at("q") == 98);
  CHECK(fixture.failure.empty());
  SUBCASE("to be read") {
    CHECK(take_all(fixture, "q").starts_with("2* 3* 4* 5* 6* 7* 8"));
    CHECK(take_all(fixture, "r") == "0* 1* 2* 3* 4* 5* ");
  }
  SUBCASE("to be checked") {
    fixture.vhost.reset();
    log::LogInspector inspector(fixture.files, "log", test::directory_id);
    inspector.run();
    CHECK(inspector.report().damages.empty());
    CHECK(inspector.report().queues.at("r").in_piles == 6);
  }
}
