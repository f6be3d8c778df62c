#include "simulation/messages.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include <haypile/amqp/properties.hpp>

#include "simulation/topology.hpp"

namespace haypile::simulation {

namespace {

constexpr std::size_t digit_count = 8;

std::string message_id(const Message& message) {
  return "m" + std::to_string(message.number);
}

bool has_headers(const Message& message) {
  return message.number % 3 == 0;
}

}  // namespace

Message& Messages::make(Random& random, int exchange, std::string key, const Style& style) {
  Message message{.number = static_cast<Number>(all_.size() + 1),
                  .exchange = exchange,
                  .key = std::move(key),
                  .mandatory = random.one_in(6),
                  .persistent = !random.one_in(6),
                  .priority = static_cast<std::uint8_t>(random.below(5)),
                  .size = digit_count + random.below(200)};
  if (style.is_brisk) message.size += random.below(300);
  if (style.is_small) message.size = digit_count + random.below(4);
  if (random.one_in(12)) message.size += random.below(1500);
  if (random.one_in(50)) message.size += random.below(style.segment_size * 5 / 2);
  all_.push_back(std::move(message));
  return all_.back();
}

const Message* Messages::find(Number number) const {
  return number == 0 || number > all_.size() ? nullptr : &all_[number - 1];
}

std::string body_of(const Message& message) {
  std::string body(message.size, '\0');
  char digits[digit_count + 1];
  std::snprintf(digits, sizeof digits, "%08x", message.number);
  std::memcpy(body.data(), digits, digit_count);
  std::uint64_t state = message.number * 0x9E3779B97F4A7C15u + 1;
  for (std::size_t at = digit_count; at < body.size(); at += sizeof state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(body.data() + at, &state, std::min(sizeof state, body.size() - at));
  }
  return body;
}

std::string properties_of(const Message& message) {
  const std::string id = message_id(message);
  amqp::Table headers;
  amqp::Properties properties{.delivery_mode = message.persistent ? amqp::delivery_mode_persistent
                                                                  : amqp::delivery_mode_transient,
                              .priority = message.priority,
                              .message_id = id};
  if (has_headers(message)) {
    headers.set("number", static_cast<std::int64_t>(message.number));
    properties.headers = headers.view();
  }
  std::string raw;
  amqp::append_properties(raw, properties);
  return raw;
}

Number number_in(std::string_view body) {
  Number number = 0;
  if (body.size() < digit_count) return 0;
  const auto result = std::from_chars(body.data(), body.data() + digit_count, number, 16);
  return result.ptr == body.data() + digit_count ? number : 0;
}

std::string difference(const Message& message, std::string_view exchange, std::string_view key,
                       std::string_view raw_properties, std::string_view body,
                       std::string_view died_in) {
  if (body != body_of(message)) return "body";
  if (died_in.empty()) {
    if (exchange != exchange_name(message.exchange)) return "exchange";
    if (key != message.key) return "routing key";
    if (raw_properties == properties_of(message)) return "";
  }
  amqp::Properties properties;
  if (amqp::decode_properties(raw_properties, properties) != amqp::DecodeError::none) {
    return "properties that cannot be read";
  }
  if (properties.message_id != message_id(message)) return "message_id";
  if ((properties.delivery_mode == amqp::delivery_mode_persistent) != message.persistent) {
    return "delivery_mode";
  }
  if (properties.priority != message.priority) return "priority";
  const auto header = [&](std::string_view name) {
    return properties.headers ? properties.headers->find(name) : std::nullopt;
  };
  const auto number = header("number");
  if (has_headers(message) != number.has_value()) return "headers";
  if (number && number->as_int64() != message.number) return "header";
  const auto death = header("x-first-death-queue");
  if (died_in.empty()) return death ? "a death that was not its own" : "";
  return death && death->as_string() == died_in ? "" : "no trace of its death";
}

}  // namespace haypile::simulation
