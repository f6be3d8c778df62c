#include <doctest/doctest.h>

#include <random>
#include <string>

#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

using namespace haypile::amqp;
using namespace std::string_view_literals;

TEST_CASE("a method on the wire") {
  std::string bytes;
  REQUIRE(append_method(bytes, 1, queue::Declare{.queue = "q", .durable = true, .no_wait = true}));
  CHECK(bytes ==
        "\x01\x00\x01\x00\x00\x00\x0d"
        "\x00\x32\x00\x0a\x00\x00\x01q\x12\x00\x00\x00\x00\xce"sv);
  CHECK(method_frame_size(queue::Declare{.queue = "q"}) == bytes.size());
}

TEST_CASE("names that are too long are not sent") {
  std::string bytes;
  const std::string name(256, 'n');
  CHECK_FALSE(encodable(queue::Declare{.queue = name}));
  CHECK_FALSE(append_method(bytes, 1, queue::Declare{.queue = name}));
  CHECK_FALSE(append_message(bytes, 1, basic::Publish{.routing_key = name}, "", "", 4096));
  CHECK(bytes.empty());
  CHECK(clip_short_string(name).size() == 255);
  // The text is not cut in the middle of a character.
  const std::string text = std::string(254, 'n') + "\xc3\xa4";
  CHECK(clip_short_string(text).size() == 254);
}

TEST_CASE("a message is its method, its header and its body frames") {
  const basic::Publish method{.exchange = "e", .routing_key = "key"};
  const std::string raw("\x10\x00\x02", 3);
  const std::uint32_t frame_max = 64;
  const std::size_t payload_max = frame_payload_max(frame_max);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, payload_max, payload_max + 1}) {
    const std::string body(size, 'b');
    std::string parts = "before";
    append_method(parts, 7, method);
    append_content_header(parts, 7, 60, size, raw);
    append_body_frames(parts, 7, body, frame_max);
    std::string whole = "before";
    CHECK(append_message(whole, 7, method, raw, body, frame_max));
    CHECK(whole == parts);
  }
}

TEST_CASE("arguments cut off at any byte, or with more behind them, are refused") {
  std::string bytes;
  append_method(bytes, 1, basic::Consume{.queue = "queue", .consumer_tag = "tag", .no_ack = true});
  const std::string_view payload = std::string_view(bytes).substr(7, bytes.size() - 8);
  Method method;
  for (std::size_t size = 0; size < payload.size(); ++size) {
    CHECK(decode_method(payload.substr(0, size), method) != DecodeError::none);
  }
  CHECK(decode_method(payload, method) == DecodeError::none);
  CHECK(decode_method(std::string(payload) + "x", method) == DecodeError::trailing_bytes);
  CHECK(decode_method("\x00\x3c\x03\xe7"sv, method) == DecodeError::unknown_method);
  CHECK(method_name(MethodId{60, 999}) == "unknown");
}

TEST_CASE("properties cut off at any byte are refused") {
  const Table headers{{"n", 1}};
  const Properties properties{.content_type = "text/plain",
                              .headers = headers.view(),
                              .delivery_mode = std::uint8_t{2},
                              .timestamp = Timestamp{7},
                              .cluster_id = "c"};
  std::string raw;
  REQUIRE(append_properties(raw, properties));
  Properties decoded;
  for (std::size_t size = 0; size < raw.size(); ++size) {
    CHECK(decode_properties(std::string_view(raw).substr(0, size), decoded) != DecodeError::none);
    CHECK(validate_properties(std::string_view(raw).substr(0, size)) != DecodeError::none);
  }
  decoded = {};
  REQUIRE(decode_properties(raw, decoded) == DecodeError::none);
  CHECK(decoded == properties);
  CHECK(peek_delivery_mode(raw) == 2);
  CHECK(peek_delivery_mode("\x00\x00"sv) == delivery_mode_transient);
  CHECK(decode_properties(raw + "x", decoded) == DecodeError::trailing_bytes);
  // There are no properties for a second word of flags.
  CHECK(decode_properties("\x00\x01\x00\x00"sv, decoded) == DecodeError::bad_value);
}

TEST_CASE("codes know what they close") {
  CHECK(name(ReplyCode::not_found) == "NOT_FOUND");
  CHECK_FALSE(is_connection_error(ReplyCode::precondition_failed));
  CHECK_FALSE(is_connection_error(ReplyCode::resource_locked));
  CHECK(is_connection_error(ReplyCode::frame_error));
  CHECK(is_connection_error(ReplyCode::connection_forced));
}

TEST_CASE("random payloads are decoded or refused") {
  std::mt19937 random(2);
  std::size_t decoded = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string payload(4 + random() % 40, '\0');
    for (char& byte : payload)
      byte = static_cast<char>(random() % 4 == 0 ? random() : random() % 8);
    payload[0] = 0;
    payload[1] = static_cast<char>(10 * (1 + random() % 9));
    payload[2] = 0;
    payload[3] = static_cast<char>(10 + random() % 70);
    Method method;
    if (decode_method(payload, method) != DecodeError::none) continue;
    ++decoded;
    std::string again;
    REQUIRE(append_method(again, 0, method));
  }
  CHECK(decoded > 0);
}
