// A pipe to the codec, for tests in other languages: one JSON request a line, one answer a line.
//   {"encode": "queue.declare", "channel": 1, "fields": [...]}     -> {"frame": "hex"}
//   {"decode": "hex of a method frame"}    -> {"method": ..., "channel": ..., "fields": [...]}
//   {"encode_properties": [...]}                                   -> {"raw": "hex"}
//   {"decode_properties": "hex"}                                   -> {"properties": [...]}
// Fields and properties are in the order of the specification; null is an absent property.
#include <cstdio>
#include <deque>
#include <iostream>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

namespace {

using namespace haypile;
using Json = nlohmann::ordered_json;

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(byte));
    hex += digits;
  }
  return hex;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

Json describe(amqp::TableView table);

Json describe(const amqp::ValueView& value) {
  if (value.is_void()) return nullptr;
  if (const auto flag = value.as_bool()) return *flag;
  if (const auto number = value.as_int64()) return *number;
  if (const auto text = value.as_string()) return std::string(*text);
  if (const auto number = value.as_double()) return *number;
  if (const auto table = value.as_table()) return describe(*table);
  if (const auto time = value.as_timestamp()) return Json{{"seconds", time->seconds}};
  if (const auto decimal = value.as_decimal()) {
    return Json{{"scale", decimal->scale}, {"unscaled", decimal->unscaled}};
  }
  Json array = Json::array();
  const amqp::ArrayView elements = value.as_array().value();
  for (const amqp::ValueView& element : elements)
    array.push_back(describe(element));
  return array;
}

Json describe(amqp::TableView table) {
  Json object = Json::object();
  for (const amqp::Field& field : table)
    object[std::string(field.key)] = describe(field.value);
  return object;
}
Json describe(std::string_view text) {
  return std::string(text);
}
Json describe(amqp::LongString text) {
  return std::string(text);
}
template <class T>
requires std::integral<T> Json describe(T value) {
  return value;
}
Json describe(amqp::Timestamp time) {
  return time.seconds;
}
template <class Optional>
requires requires(Optional value) {
  value.has_value();
}
Json describe(const Optional& value) {
  return value ? describe(*value) : Json(nullptr);
}

amqp::Table make_table(const Json& json);

amqp::Value make_value(const Json& json) {
  if (json.is_null()) return nullptr;
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_object()) return make_table(json);
  if (json.is_array()) {
    std::vector<amqp::Value> values;
    for (const Json& element : json)
      values.push_back(make_value(element));
    return values;
  }
  const auto number = json.get<std::int64_t>();
  if (number >= INT32_MIN && number <= INT32_MAX) return static_cast<std::int32_t>(number);
  return number;
}

amqp::Table make_table(const Json& json) {
  amqp::Table table;
  for (const auto& [key, value] : json.items())
    table.set(key, make_value(value));
  return table;
}

// Owns what the views of a method refer to.
struct Storage {
  std::deque<std::string> strings;
  std::deque<amqp::Table> tables;
};

template <class T>
requires std::integral<T>
void fill(T& field, const Json& json, Storage&) {
  field = json.get<T>();
}
void fill(amqp::Timestamp& field, const Json& json, Storage&) {
  field = {json.get<std::uint64_t>()};
}
void fill(std::string_view& field, const Json& json, Storage& storage) {
  field = storage.strings.emplace_back(json.get<std::string>());
}
void fill(amqp::LongString& field, const Json& json, Storage& storage) {
  field = storage.strings.emplace_back(json.get<std::string>());
}
void fill(amqp::TableView& field, const Json& json, Storage& storage) {
  field = storage.tables.emplace_back(make_table(json)).view();
}
template <class Optional>
requires requires(Optional value) {
  value.has_value();
}
void fill(Optional& field, const Json& json, Storage& storage) {
  if (!json.is_null()) fill(field.emplace(), json, storage);
}

template <class Fields>
void fill_all(Fields fields, const Json& json, Storage& storage) {
  std::size_t i = 0;
  std::apply([&](auto&... field) { (fill(field, json.at(i++), storage), ...); }, fields);
  if (i != json.size()) throw std::runtime_error("too many fields");
}

template <class Fields>
Json describe_all(Fields fields) {
  Json array = Json::array();
  std::apply([&](const auto&... field) { (array.push_back(describe(field)), ...); }, fields);
  return array;
}

template <std::size_t I = 0>
std::string encode_method(const std::string& name, std::uint16_t channel, const Json& fields) {
  if constexpr (I == std::variant_size_v<amqp::Method>) {
    throw std::runtime_error("no method " + name);
  } else {
    using M = std::variant_alternative_t<I, amqp::Method>;
    if (M::name != name) return encode_method<I + 1>(name, channel, fields);
    M method;
    Storage storage;
    fill_all(method.fields(), fields, storage);
    std::string frame;
    if (!amqp::append_method(frame, channel, method)) throw std::runtime_error("not encodable");
    return frame;
  }
}

Json decode_method(const std::string& bytes) {
  amqp::Frame frame;
  std::size_t size = 0;
  if (amqp::parse_frame(bytes, 0, frame, size) != amqp::FrameStatus::complete ||
      size != bytes.size()) {
    throw std::runtime_error("not one frame");
  }
  amqp::Method method;
  const amqp::DecodeError error = amqp::decode_method(frame.payload, method);
  if (error != amqp::DecodeError::none) throw std::runtime_error(std::string(amqp::text(error)));
  std::string again;
  amqp::append_method(again, frame.channel, method);
  if (again != bytes) throw std::runtime_error("encoded again it differs");
  const Json fields = std::visit([](const auto& m) { return describe_all(m.fields()); }, method);
  return {{"method", std::string(amqp::method_name(method))},
          {"channel", frame.channel},
          {"fields", fields}};
}

Json answer(const Json& request) {
  if (request.contains("encode")) {
    return {
        {"frame", to_hex(encode_method(request["encode"], request["channel"], request["fields"]))}};
  }
  if (request.contains("decode")) return decode_method(from_hex(request["decode"]));
  amqp::Properties properties;
  if (request.contains("encode_properties")) {
    Storage storage;
    fill_all(properties.fields(), request["encode_properties"], storage);
    std::string raw;
    if (!amqp::append_properties(raw, properties)) throw std::runtime_error("not encodable");
    return {{"raw", to_hex(raw)}};
  }
  const std::string raw = from_hex(request.at("decode_properties"));
  const amqp::DecodeError error = amqp::decode_properties(raw, properties);
  if (error != amqp::DecodeError::none) throw std::runtime_error(std::string(amqp::text(error)));
  return {{"properties", describe_all(std::as_const(properties).fields())}};
}

void answer_all() {
  for (std::string line; std::getline(std::cin, line);) {
    Json json;
    try {
      json = answer(Json::parse(line));
    } catch (const std::exception& error) {
      json = {{"error", error.what()}};
    }
    std::cout << json.dump() << std::endl;
  }
}

}  // namespace

int main() {
  try {
    answer_all();
  } catch (const std::exception& error) {
    std::cerr << "codec_tool: " << error.what() << '\n';
    return 1;
  }
}
