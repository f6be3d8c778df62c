// Building field tables and arrays; table_view.hpp is for reading them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/table_view.hpp>

namespace haypile::amqp {

class Table;

// A value for a Table; owns its encoding. An integer whose type fits into 32 signed bits is written
// as 'I', a wider one as 'l': all peers can read these types.
class Value {
 public:
  Value(std::nullptr_t = nullptr) : bytes_("V") {}
  Value(std::same_as<bool> auto value) : bytes_{'t', value ? '\1' : '\0'} {}
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char> &&
           (std::signed_integral<T> || sizeof(T) < sizeof(std::int64_t))) Value(T value) {
    if constexpr (sizeof(T) < 4 || std::same_as<T, std::int32_t>) {
      set_int32(value);
    } else {
      set_int64(value);
    }
  }
  Value(double value);
  Value(Timestamp value);
  Value(Decimal value);
  Value(const char* text) : Value(std::string_view(text)) {}
  Value(const std::string& text) : Value(std::string_view(text)) {}
  // Strings, tables and arrays of more than 4 GiB, the limit of the wire, throw std::length_error.
  Value(std::string_view text);
  Value(const Table& table);
  Value(TableView table);
  Value(const std::vector<Value>& array);
  Value(ValueView value) : bytes_(value.bytes()) {}

  // A value of type 'x'; a string has the type 'S'.
  static Value binary(std::string_view bytes);

  // The view is valid until the value is assigned to or destroyed.
  ValueView view() const;
  std::string_view bytes() const { return bytes_; }
  bool operator==(const Value&) const = default;

 private:
  void set_int32(std::int32_t value);
  void set_int64(std::int64_t value);
  void set_sized(char tag, std::string_view bytes);

  std::string bytes_;
};

// A table that is being built; owns its encoding.
//   Table{{"x-max-priority", 10}, {"text", "s"}, {"nested", Table{{"a", true}}}}
class Table {
 public:
  Table() = default;
  Table(std::initializer_list<std::pair<std::string_view, Value>> fields);
  explicit Table(TableView view) : bytes_(view.bytes()) {}

  // Replaces the value where it is, or appends the key. Throws std::length_error if the key is
  // longer than 255 bytes.
  void set(std::string_view key, const Value& value);
  // Returns whether the key was there.
  bool erase(std::string_view key);

  // The view is valid until the table is changed or destroyed.
  TableView view() const { return TableView::unchecked(bytes_); }
  operator TableView() const { return view(); }
  std::string_view bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  bool operator==(const Table&) const = default;

 private:
  std::string bytes_;
};

}  // namespace haypile::amqp
