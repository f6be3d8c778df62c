// How the engine reads field tables without knowing the wire format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace haypile::engine {

// A field of a table. `value` is canonical: two values that RabbitMQ takes for equal are equal
// strings (integers by value, whatever their width). An empty value stands for a void, which as a
// binding's argument only asks that the header exists. The name is a view into the table that was
// read.
struct TableField {
  std::string_view name;
  std::string value;
};

// A value with the type that the engine distinguishes.
struct TableValue {
  enum class Kind : std::uint8_t { integer, boolean, text, other };
  Kind kind = Kind::other;
  std::int64_t integer = 0;  // of kind integer or boolean
  std::string text;          // of kind text; for other kinds, as error texts show the value
};

// Reads field tables. Implemented outside the engine. A table is given as its encoded bytes without
// the length prefix; a table that cannot be read has no fields.
class TableReader {
 public:
  virtual ~TableReader() = default;
  virtual std::vector<TableField> fields(std::string_view table) const = 0;
  virtual std::optional<TableValue> find(std::string_view table, std::string_view name) const = 0;
  // The same table, encoded, with its fields in the order of their names.
  virtual std::string in_order(std::string_view table) const = 0;
  // The text of a string field; nothing if it is absent or not a string.
  virtual std::optional<std::string> text(std::string_view table, std::string_view name) const = 0;
};

}  // namespace haypile::engine
