#include "session/field_reader.hpp"

#include <haypile/amqp/table.hpp>

namespace haypile::session {

namespace {

// A letter for the kind of value, then the value. RabbitMQ compares integers by value whatever
// their width, and so for the two floats; strings and byte arrays are one kind.
std::string canonical(const amqp::ValueView& value) {
  if (value.is_void()) return {};
  if (const auto number = value.as_int64()) return "i" + std::to_string(*number);
  if (const auto text = value.as_string()) return "s" + std::string(*text);
  if (const auto number = value.as_double()) return "d" + std::to_string(*number);
  return std::string(value.bytes());
}

}  // namespace

std::vector<engine::TableField> FieldReader::fields(std::string_view table) const {
  std::vector<engine::TableField> fields;
  for (const amqp::Field& field : amqp::TableView::unchecked(table)) {
    fields.push_back({field.key, canonical(field.value)});
  }
  return fields;
}

std::optional<std::string> FieldReader::text(std::string_view table, std::string_view name) const {
  const auto value = amqp::TableView::unchecked(table).find(name);
  const auto text = value ? value->as_string() : std::nullopt;
  if (!text) return std::nullopt;
  return std::string(*text);
}

}  // namespace haypile::session
