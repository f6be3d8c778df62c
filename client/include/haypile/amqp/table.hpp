// Building field tables and arrays; table_view.hpp is for reading them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/table_view.hpp>

namespace haypile::amqp {

class Table;

namespace detail {

// The integer types, without those that stand for a character or a boolean.
template <class T>
concept Integer = OneOf<T, signed char, unsigned char, short, unsigned short, int, unsigned, long,
                        unsigned long, long long, unsigned long long>;

}  // namespace detail

// A value for a Table; owns its encoding. Only the types below become one, without any conversion
// of numbers, so that nothing is sent as something else: characters, enumerations and pointers
// other than texts do not compile.
class Value {
 public:
  Value(std::nullptr_t = nullptr) : bytes_("V") {}
  Value(std::same_as<bool> auto value) : bytes_{'t', value ? '\1' : '\0'} {}
  // An integer whose type fits into 32 signed bits is written as 'I', a wider one as 'l': all peers
  // can read these types. Throws std::out_of_range above INT64_MAX.
  template <detail::Integer T>
  Value(T value) {
    if constexpr (std::in_range<std::int32_t>(std::numeric_limits<T>::max())) {
      set_int32(value);
    } else {
      set_int64(checked_int64(value));
    }
  }
  // A float is written as 'd', too, which is exact and which all peers can read. A long double does
  // not compile, because the wire has nothing as precise.
  template <detail::OneOf<float, double> T>
  Value(T value) {
    set_double(value);
  }
  Value(Timestamp value);
  Value(Decimal value);
  // Throws std::invalid_argument if there is no text (null).
  Value(const char* text);
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
  // Throws std::out_of_range if the value does not fit.
  static std::int64_t checked_int64(std::uint64_t value);
  static std::int64_t checked_int64(std::signed_integral auto value) { return value; }
  void set_int32(std::int32_t value);
  void set_int64(std::int64_t value);
  void set_double(double value);
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

  // Replaces the value where it is, or appends the key. Throws if nobody could read the table then,
  // and changes nothing: std::length_error if the key is longer than 255 bytes, the value is nested
  // too deeply (table_depth_max) or there are too many values (table_node_count_max);
  // std::invalid_argument if the value is a view of malformed bytes.
  void set(std::string_view key, const Value& value);
  // Does the same, but returns false where set() throws.
  [[nodiscard]] bool try_set(std::string_view key, const Value& value);
  // Returns whether the key was there.
  bool erase(std::string_view key);

  // The view is valid until the table is changed or destroyed.
  TableView view() const& { return TableView::unchecked(bytes_); }
  TableView view() const&& = delete;  // a temporary ends here: give the table a name
  // The table may be a temporary, for functions that take a view.
  operator TableView() const { return TableView::unchecked(bytes_); }
  std::string_view bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  bool operator==(const Table&) const = default;

 private:
  DecodeError check(std::string_view old_value, std::string_view value) const;
  DecodeError put(std::string_view key, std::string_view value);

  std::string bytes_;
};

}  // namespace haypile::amqp
