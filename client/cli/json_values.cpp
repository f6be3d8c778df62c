#include "json_values.hpp"

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <haypile/error.hpp>

#include "property_names.hpp"

namespace haypile::cli {

namespace {

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

Json text_json(std::string_view text) {
  if (is_utf8(text)) return text;
  return Json{{"base64", base64(text)}};
}

Json array_json(amqp::ArrayView array) {
  Json list = Json::array();
  for (const amqp::ValueView& value : array)
    list.push_back(json_of(value));
  return list;
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(3, bytes.size()))) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i)
      out += i <= bytes.size() ? digits[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

void set_text(Json& object, const std::string& name, std::string_view text) {
  if (is_utf8(text)) {
    object[name] = text;
  } else {
    object[name + "_base64"] = base64(text);
  }
}

Json json_of(amqp::ValueView value) {
  if (const auto flag = value.as_bool()) return *flag;
  if (const auto number = value.as_int64()) return *number;
  if (const auto number = value.as_double()) return *number;
  if (const auto text = value.as_string()) return text_json(*text);
  if (const auto time = value.as_timestamp()) return time->seconds;
  if (const auto number = value.as_decimal()) {
    return static_cast<double>(number->unscaled) / std::pow(10.0, number->scale);
  }
  if (const auto table = value.as_table()) return json_of(*table);
  if (const auto array = value.as_array()) return array_json(*array);
  return nullptr;
}

Json json_of(amqp::TableView table) {
  Json object = Json::object();
  for (const amqp::Field& field : table)
    object[std::string(field.key)] = json_of(field.value);
  return object;
}

Json json_of(const Properties& properties) {
  Json object = Json::object();
  for_each_property(properties, [&](const std::string& name, const auto& field) {
    using Type = typename std::remove_cvref_t<decltype(field)>::value_type;
    if (!field) return;
    if constexpr (std::is_integral_v<Type>) {
      object[name] = *field;
    } else if constexpr (std::is_same_v<Type, amqp::Timestamp>) {
      object[name] = field->seconds;
    } else if constexpr (std::is_same_v<Type, std::string_view>) {
      set_text(object, name, *field);
    }
  });
  return object;
}

amqp::Value value_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX) {
    throw Error(json.dump() + " does not fit into a header: at most " + std::to_string(INT64_MAX));
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get_ref<const std::string&>();
  if (json.is_array()) {
    std::vector<amqp::Value> list;
    for (const Json& element : json)
      list.push_back(value_of(element));
    return list;
  }
  if (!json.is_object()) return nullptr;
  amqp::Table table;
  for (const auto& [key, element] : json.items())
    table.set(key, value_of(element));
  return table;
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace haypile::cli
