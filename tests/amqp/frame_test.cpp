#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

using namespace haypile::amqp;
using namespace std::string_view_literals;

TEST_CASE("a frame is cut off when its last byte is there, and not before") {
  std::string bytes;
  append_frame(bytes, FrameType::body, 0x1234, "payload");
  CHECK(bytes == "\x03\x12\x34\x00\x00\x00\x07payload\xce"sv);
  Frame frame;
  std::size_t consumed = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(parse_frame(bytes.substr(0, size), 4096, frame, consumed) == FrameStatus::incomplete);
  }
  const std::string more = bytes + "more";
  REQUIRE(parse_frame(more, 4096, frame, consumed) == FrameStatus::complete);
  CHECK(consumed == bytes.size());
  CHECK(frame.type == FrameType::body);
  CHECK(frame.channel == 0x1234);
  CHECK(frame.payload == "payload");
}

TEST_CASE("what will be refused is refused as soon as it shows") {
  Frame frame;
  std::size_t consumed = 0;
  CHECK(parse_frame("\x04"sv, 4096, frame, consumed) == FrameStatus::bad_type);
  CHECK(parse_frame("\x00"sv, 4096, frame, consumed) == FrameStatus::bad_type);
  CHECK(parse_frame("\x01\x00\x00\xff\xff\xff\xff"sv, 4096, frame, consumed) ==
        FrameStatus::too_large);
  // A frame of 4096 bytes with its overhead is allowed, one of 4097 is not.
  CHECK(parse_frame("\x01\x00\x00\x00\x00\x0f\xf8"sv, 4096, frame, consumed) ==
        FrameStatus::incomplete);
  CHECK(parse_frame("\x01\x00\x00\x00\x00\x0f\xf9"sv, 4096, frame, consumed) ==
        FrameStatus::too_large);
  CHECK(parse_frame("\x08\x00\x00\x00\x00\x00\x00\xcd"sv, 4096, frame, consumed) ==
        FrameStatus::bad_end);
}

TEST_CASE("a body goes into as many frames as it needs") {
  for (const std::size_t size : {0u, 1u, 4088u, 4089u, 8176u, 8177u}) {
    const std::string body(size, 'b');
    std::string bytes;
    append_body_frames(bytes, 7, body, 4096);
    std::string_view rest = bytes;
    std::size_t count = 0;
    std::string together;
    while (!rest.empty()) {
      Frame frame;
      std::size_t consumed = 0;
      REQUIRE(parse_frame(rest, 4096, frame, consumed) == FrameStatus::complete);
      together += frame.payload;
      rest.remove_prefix(consumed);
      ++count;
    }
    CHECK(together == body);
    CHECK(count == (size + 4087) / 4088);
  }
}

TEST_CASE("a heartbeat") {
  std::string bytes;
  append_heartbeat(bytes);
  CHECK(bytes == "\x08\x00\x00\x00\x00\x00\x00\xce"sv);
}
