#include "session/amqp_property_codec.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include <haypile/amqp/table.hpp>

#include "session/deaths.hpp"

namespace haypile::session {

namespace {

// A letter for the kind of the value, then the value: equal for values that RabbitMQ considers
// equal. It compares numbers by value, whatever their type and width, including timestamps; strings
// and byte arrays are one kind.
std::string canonical(const amqp::ValueView& value) {
  if (value.is_void()) return {};
  if (const auto number = value.as_int64()) return "i" + std::to_string(*number);
  if (const auto time = value.as_timestamp()) return "i" + std::to_string(time->seconds);
  if (const auto text = value.as_string()) return "s" + std::string(*text);
  if (const auto number = value.as_double()) {
    const bool is_whole = *number == std::trunc(*number) && std::abs(*number) < 9e18;
    if (is_whole) return "i" + std::to_string(static_cast<std::int64_t>(*number));
    char text[32];
    return "d" + std::string(text, std::to_chars(text, text + sizeof text, *number).ptr);
  }
  return std::string(value.bytes());
}

engine::TableValue to_engine(const amqp::ValueView& value) {
  using Kind = engine::TableValue::Kind;
  if (const auto number = value.as_int64())
    return {Kind::integer, *number, std::to_string(*number)};
  if (const auto text = value.as_string()) {
    return {value.tag() == 'S' ? Kind::text : Kind::other, 0, std::string(*text)};
  }
  if (const auto flag = value.as_bool()) return {Kind::boolean, *flag, *flag ? "true" : "false"};
  if (const auto number = value.as_double()) return {Kind::other, 0, std::to_string(*number)};
  return {Kind::other, 0, "a value of type '" + std::string(1, value.tag()) + "'"};
}

amqp::Properties decode(std::string_view raw) {
  amqp::Properties properties;
  static_cast<void>(amqp::decode_properties(raw, properties));
  return properties;
}

std::string encode(const amqp::Properties& properties) {
  std::string raw;
  amqp::append_properties(raw, properties);
  assert(amqp::validate_properties(raw) == amqp::DecodeError::none);
  return raw;
}

}  // namespace

std::vector<engine::TableField> AmqpPropertyCodec::fields(std::string_view table) const {
  std::vector<engine::TableField> fields;
  for (const amqp::Field& field : amqp::TableView::unchecked(table)) {
    fields.push_back({field.key, canonical(field.value)});
  }
  return fields;
}

std::optional<engine::TableValue> AmqpPropertyCodec::find(std::string_view table,
                                                          std::string_view name) const {
  const auto value = amqp::TableView::unchecked(table).find(name);
  if (!value) return std::nullopt;
  return to_engine(*value);
}

std::optional<std::string> AmqpPropertyCodec::text(std::string_view table,
                                                   std::string_view name) const {
  const auto text = amqp::TableView::unchecked(table).get<std::string_view>(name);
  if (!text) return std::nullopt;
  return std::string(*text);
}

std::string AmqpPropertyCodec::in_order(std::string_view table) const {
  const amqp::TableView view = amqp::TableView::unchecked(table);
  std::vector<amqp::Field> fields(view.begin(), view.end());
  std::ranges::stable_sort(fields, {}, &amqp::Field::key);
  std::string sorted;
  for (const amqp::Field& field : fields) {
    sorted += static_cast<char>(field.key.size());
    sorted += field.key;
    sorted += field.value.bytes();
  }
  return sorted;
}

engine::MessageTraits AmqpPropertyCodec::traits(std::string_view properties) const {
  return traits_of(decode(properties));
}

std::string_view AmqpPropertyCodec::headers(std::string_view properties) const {
  return headers_in(properties);
}

engine::DeadMessage AmqpPropertyCodec::after_death(const engine::MessageView& message,
                                                   const engine::Death& death) const {
  amqp::Properties properties = decode(message.properties);
  amqp::Table headers;
  engine::DeadMessage dead;
  const Noted noted = add_death(message, properties, death, headers);
  if (noted == Noted::died_too_often) return dead;
  dead.mark = mark_in(headers.view());
  if (noted == Noted::no_room) {
    // The deaths are worth more than the client's headers.
    properties.headers.reset();
    add_death(message, properties, death, headers);
    if (dead.mark.original != 0) headers.set(copies_header, to_table(dead.mark));
  }
  properties.headers = headers.view();
  properties.expiration.reset();
  dead.properties = encode(properties);
  dead.traits = traits_of(properties);
  if (!death.keys_replaced) dead.carbon_copies = strings_in_header(properties, "CC");
  dead.queues_passed = stations_in(headers.view());
  return dead;
}

std::string AmqpPropertyCodec::with_mark(std::string_view raw, const engine::CopyMark& mark) const {
  amqp::Properties properties = decode(raw);
  const amqp::TableView old = properties.headers.value_or(amqp::TableView());
  amqp::Table headers(old);
  if (!headers.try_set(copies_header, to_table(mark))) {
    // The mark limits further copies, so other headers are dropped instead.
    headers = amqp::Table{{copies_header, to_table(mark)}};
    const auto deaths = old.find("x-death");
    if (deaths) static_cast<void>(headers.try_set("x-death", *deaths));
  }
  properties.headers = headers.view();
  return encode(properties);
}

std::size_t AmqpPropertyCodec::bare_size(std::string_view properties) const {
  return bare_properties(properties).size();
}

std::string bare_properties(std::string_view raw) {
  amqp::Properties properties = decode(raw);
  if (!properties.headers) return std::string(raw);
  amqp::Table headers(*properties.headers);
  remove_deaths(headers);
  properties.headers.reset();
  if (!headers.view().empty()) properties.headers = headers.view();
  std::string bare;
  amqp::append_properties(bare, properties);
  return bare;
}

std::string_view headers_in(std::string_view properties) {
  const auto headers = decode(properties).headers;
  return headers ? headers->bytes() : std::string_view{};
}

engine::MessageTraits traits_of(const amqp::Properties& properties) {
  engine::MessageTraits traits;
  traits.persistent = properties.delivery_mode == amqp::delivery_mode_persistent;
  traits.priority = properties.priority.value_or(0);
  if (properties.expiration) {
    traits.ttl_ms =
        parse_expiration(*properties.expiration).value_or(engine::MessageTraits::no_ttl);
  }
  return traits;
}

std::optional<std::uint64_t> parse_expiration(std::string_view text) {
  std::uint64_t ttl_ms = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, ttl_ms);
  if (error != std::errc() || at != end || ttl_ms > engine::time_max_ms) return std::nullopt;
  return ttl_ms;
}

std::vector<std::string> strings_in_header(const amqp::Properties& properties,
                                           std::string_view name) {
  std::vector<std::string> strings;
  if (!properties.headers) return strings;
  for (const amqp::ValueView& each : properties.headers->array(name)) {
    const auto text = each.tag() == 'S' ? each.as_string() : std::nullopt;
    if (text && amqp::fits_short_string(*text)) strings.emplace_back(*text);
  }
  return strings;
}

}  // namespace haypile::session
