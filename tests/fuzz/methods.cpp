// Methods, properties, content headers and field tables: what is accepted is the same when it is
// written again.
//
// Input: a byte that tells the kind, and the bytes.
#include <optional>
#include <string>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "fuzz/support.hpp"
#include "session/amqp_property_codec.hpp"
#include "session/login.hpp"

namespace {

using namespace haypile;
using amqp::DecodeError;
using fuzz::expect;

// Builds a table again from what its views return.
class Rebuild {
 public:
  // Returns nothing if a key is there twice, which a Table cannot have.
  std::optional<amqp::Table> table(amqp::TableView view) {
    expect(++depth_ <= amqp::table_depth_max, "no table is deeper than allowed");
    amqp::Table built;
    std::size_t size = 0;
    bool unique = true;
    for (const amqp::Field& field : view) {
      size += 1 + field.key.size() + field.value.bytes().size();
      unique = unique && !built.view().find(field.key);
      built.set(field.key, value(field.value));
      const auto first = view.find(field.key);
      expect(first && (!unique || *first == field.value), "a key that is there is found");
    }
    expect(size == view.bytes().size(), "all of a table is looked at");
    --depth_;
    if (!unique) return std::nullopt;
    return built;
  }
  std::size_t node_count() const { return node_count_; }

 private:
  amqp::Value value(const amqp::ValueView& view) {
    expect(++node_count_ <= amqp::table_node_count_max, "no table has more values than allowed");
    std::optional<amqp::Value> built = typed(view);
    if (!built) return view;
    // A boolean may be any octet but 0.
    expect(*built == amqp::Value(view) || view.tag() == 't', "a value built anew is the same");
    return *built;
  }
  std::optional<amqp::Value> typed(const amqp::ValueView& view) {
    switch (view.tag()) {
      case 'I':
        return static_cast<std::int32_t>(view.as_int64().value());
      case 'l':
        return view.as_int64().value();
      case 'd': {
        const double number = view.as_double().value();
        if (number != number) return std::nullopt;  // its bits may change
        return number;
      }
      case 't':
        return view.as_bool().value();
      case 'T':
        return view.as_timestamp().value();
      case 'D':
        return view.as_decimal().value();
      case 'S':
        return view.as_string().value();
      case 'x':
        return amqp::Value::binary(view.as_string().value());
      case 'V':
        return amqp::Value();
      case 'A':
        return array(view.as_array().value());
      case 'F': {
        const auto built = table(view.as_table().value());
        // A table with values that are not canonical is not canonical itself.
        if (!built || built->bytes() != view.as_table()->bytes()) return std::nullopt;
        return *built;
      }
      default:
        expect(view.as_int64() || view.as_double(), "other values are numbers");
        return std::nullopt;
    }
  }
  std::optional<amqp::Value> array(amqp::ArrayView view) {
    expect(++depth_ <= amqp::table_depth_max, "no array is deeper than allowed");
    std::vector<amqp::Value> values;
    std::size_t size = 0;
    for (const amqp::ValueView& each : view) {
      size += each.bytes().size();
      values.push_back(value(each));
    }
    expect(size == view.bytes().size(), "all of an array is looked at");
    --depth_;
    // An array with values that are not canonical is not canonical itself.
    amqp::Value built(values);
    if (built.view().as_array()->bytes() != view.bytes()) return std::nullopt;
    return built;
  }

  std::size_t depth_ = 0;
  std::size_t node_count_ = 0;
};

void check_table(amqp::TableView view) {
  Rebuild rebuild;
  std::optional<amqp::Table> table = rebuild.table(view);
  if (!table || table->empty()) return;
  const std::string key((*view.begin()).key);
  expect(table->erase(key) && !table->view().find(key), "an erased key is gone");
  amqp::TableView parsed;
  expect(amqp::TableView::parse(table->bytes(), parsed) == DecodeError::none,
         "the rest is a table");
}

void check_tables_of(const auto& method) {
  const auto check = [](const auto& field) {
    if constexpr (std::is_same_v<std::decay_t<decltype(field)>, amqp::TableView>)
      check_table(field);
  };
  std::apply([&](const auto&... fields) { (check(fields), ...); }, method.fields());
}

std::string encode(const amqp::Method& method) {
  std::string bytes;
  expect(amqp::append_method(bytes, 1, method), "what was decoded can be encoded");
  amqp::Frame frame;
  std::size_t size = 0;
  const amqp::FrameStatus status = amqp::parse_frame(bytes, 0, frame, size);
  expect(status == amqp::FrameStatus::complete && size == bytes.size(), "a method is one frame");
  const std::size_t expected =
      std::visit([](const auto& m) { return amqp::method_frame_size(m); }, method);
  expect(size == expected, "a method is as long as foretold");
  return std::string(frame.payload);
}

void check_method(std::string_view payload) {
  amqp::Method method;
  if (amqp::decode_method(payload, method) != DecodeError::none) return;
  expect(amqp::method_name(amqp::peek_method_id(payload)) == amqp::method_name(method),
         "a method has one name");
  const std::string again = encode(method);
  expect(again.size() == payload.size(), "a method written again is as long");
  // Bits that belong to no field are not kept.
  for (std::size_t i = 0; i < again.size(); ++i)
    expect((again[i] & ~payload[i]) == 0, "a method written again is the same but for unused bits");
  amqp::Method decoded;
  expect(amqp::decode_method(again, decoded) == DecodeError::none, "it is a method again");
  expect(encode(decoded) == again, "and the same for good");
  std::visit([](const auto& m) { check_tables_of(m); }, method);
}

void check_dead_letter(std::string_view raw) {
  const session::AmqpPropertyCodec wire;
  const engine::MessageView message{
      .exchange = "e", .routing_key = "k", .properties = raw, .body = "b"};
  std::string twice(raw);
  for (const bool keys_replaced : {false, true}) {
    engine::MessageView dying = message;
    dying.properties = twice;
    const engine::DeadMessage dead =
        wire.after_death(dying, {.queue = "q",
                                 .reason = engine::DeathReason::expired,
                                 .wall_time = 1,
                                 .keys_replaced = keys_replaced});
    if (dead.properties.empty()) return;
    expect(amqp::validate_properties(dead.properties) == DecodeError::none,
           "a dead letter is well-formed");
    expect(!dead.queues_passed.empty() && dead.queues_passed.front() == "q",
           "it remembers where it died");
    twice = wire.with_mark(dead.properties, {.original = 5, .count = 7});
    expect(amqp::validate_properties(twice) == DecodeError::none, "a marked one is well-formed");
    dying.properties = twice;
    const auto mark = wire.after_death(dying, {.queue = "r"}).mark;
    expect(mark.original == 0, "whom a consumer rejects is an original");
  }
}

void check_properties(std::string_view raw) {
  amqp::Properties properties;
  const DecodeError error = amqp::decode_properties(raw, properties);
  expect(amqp::validate_properties(raw) == error, "validating answers what decoding does");
  static_cast<void>(amqp::peek_delivery_mode(raw));
  if (error != DecodeError::none) return;
  expect(amqp::peek_delivery_mode(raw) ==
             properties.delivery_mode.value_or(amqp::delivery_mode_transient),
         "peeking at the delivery mode answers what decoding does");
  std::string again;
  expect(amqp::append_properties(again, properties), "what was decoded can be encoded");
  expect(again == raw, "properties written again are the same");
  if (properties.headers) check_table(*properties.headers);
  const session::AmqpPropertyCodec wire;
  expect(wire.traits(raw).persistent == (properties.delivery_mode == std::uint8_t{2}),
         "traits are those of the properties");
  check_dead_letter(raw);
}

void check_arguments(std::string_view bytes) {
  amqp::TableView view;
  if (amqp::TableView::parse(bytes, view) != DecodeError::none) {
    // Iterating over refused bytes stays within them.
    for (const amqp::Field& field : amqp::TableView::unchecked(bytes))
      static_cast<void>(session::AmqpPropertyCodec().find(bytes, field.key));
    return;
  }
  check_table(view);
  const session::AmqpPropertyCodec wire;
  static_cast<void>(wire.fields(bytes));
  const std::string sorted = wire.in_order(bytes);
  expect(sorted.size() == bytes.size() && wire.in_order(sorted) == sorted, "sorting is done once");
  for (const amqp::Field& field : view)
    expect(wire.find(bytes, field.key).has_value(), "a key that is there is found");
}

void check_content_header(std::string_view payload) {
  amqp::ContentHeader header;
  if (amqp::decode_content_header(payload, header) != DecodeError::none) return;
  std::string bytes;
  amqp::append_content_header(bytes, 1, header.class_id, header.body_size, header.raw_properties);
  amqp::Frame frame;
  std::size_t size = 0;
  expect(amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::complete, "it is a frame");
  expect(frame.payload == payload, "a content header written again is the same");
  check_properties(header.raw_properties);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t kind = input.byte();
  const std::string bytes(input.rest());
  switch (kind % 6) {
    case 0:
      check_method(bytes);
      break;
    case 1:
      check_properties(bytes);
      break;
    case 2:
      check_arguments(bytes);
      break;
    case 3:
      check_content_header(bytes);
      break;
    case 4:
      static_cast<void>(session::parse_login("PLAIN", bytes));
      static_cast<void>(session::parse_login("AMQPLAIN", bytes));
      break;
    default:
      expect(amqp::clip_short_string(bytes).size() <= amqp::short_string_size_max, "it is short");
      static_cast<void>(session::parse_expiration(bytes));
      break;
  }
  return 0;
}
