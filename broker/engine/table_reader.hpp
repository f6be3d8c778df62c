// How the engine looks into field tables without knowing the wire format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace haypile::engine {

// `value` is canonical: two values that RabbitMQ takes for equal are equal strings (integers by
// value, whatever their width). An empty one stands for a void, which as a binding's argument
// asks only that the header is there. The name is a view into the table that was read.
struct TableField {
  std::string_view name;
  std::string value;
};

// A value by what it is for the engine.
struct TableValue {
  enum class Kind : std::uint8_t { integer, boolean, text, other };
  Kind kind = Kind::other;
  std::int64_t integer = 0;  // of integer and boolean
  std::string text;          // of text; of the others the value as error texts show it
};

// Handed to the engine by whoever knows the wire. A table is given as its encoded bytes without
// the length prefix; one that cannot be read has no fields.
class TableReader {
 public:
  virtual ~TableReader() = default;
  virtual std::vector<TableField> fields(std::string_view table) const = 0;
  virtual std::optional<TableValue> find(std::string_view table, std::string_view name) const = 0;
  // The same table, encoded, with its fields in the order of their names.
  virtual std::string in_order(std::string_view table) const = 0;
  // The text of a string field, nothing when it is absent or not a string.
  virtual std::optional<std::string> text(std::string_view table, std::string_view name) const = 0;
};

}  // namespace haypile::engine
