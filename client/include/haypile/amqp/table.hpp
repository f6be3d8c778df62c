// Field tables and arrays in RabbitMQ's dialect of value types, which differs from section 4.2.1
// of the specification: t b B s u I i l L f d D S x A T F V.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/types.hpp>

namespace haypile::amqp {

class TableView;
class ArrayView;

inline constexpr std::size_t table_depth_max = 32;
inline constexpr std::size_t table_node_count_max = 16384;

// Seconds since 1970-01-01 UTC (4.2.5.4).
struct Timestamp {
  std::uint64_t seconds = 0;
  bool operator==(const Timestamp&) const = default;
};

// unscaled / 10^scale (4.2.5.5).
struct Decimal {
  std::uint8_t scale = 0;
  std::int32_t unscaled = 0;
  bool operator==(const Decimal&) const = default;
};

// One value inside a table or array; valid as long as the table's bytes are. An accessor answers
// nothing when the value is of another type.
class ValueView {
 public:
  // Void, the value that stands for nothing.
  ValueView() = default;

  // Cuts the first value off `bytes` (tag first); nothing if it is cut off or of unknown type.
  // What is inside a nested table or array is not looked at.
  static std::optional<ValueView> cut(std::string_view& bytes);

  char tag() const { return bytes_.front(); }
  bool is_void() const { return tag() == 'V'; }

  // Of any integer type, also wider or narrower; an 'L' of more than INT64_MAX comes out negative,
  // since client libraries write signed numbers under that tag.
  std::optional<std::int64_t> as_int64() const;
  std::optional<bool> as_bool() const;
  // Of 'S' and of 'x' (bytes).
  std::optional<std::string_view> as_string() const;
  // Of 'f' and 'd'.
  std::optional<double> as_double() const;
  std::optional<Timestamp> as_timestamp() const;
  std::optional<Decimal> as_decimal() const;
  std::optional<TableView> as_table() const;
  std::optional<ArrayView> as_array() const;

  // Encoded, the tag included.
  std::string_view bytes() const { return bytes_; }
  bool operator==(const ValueView&) const = default;

 private:
  explicit ValueView(std::string_view bytes) : bytes_(bytes) {}
  std::string_view payload() const { return bytes_.substr(1); }

  std::string_view bytes_ = "V";
};

// The values of an encoded array without its length prefix, in order. A view, as TableView is.
class ArrayView {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = ValueView;
    using difference_type = std::ptrdiff_t;
    using pointer = const ValueView*;
    using reference = const ValueView&;

    Iterator() = default;
    explicit Iterator(std::string_view rest);
    reference operator*() const { return value_; }
    pointer operator->() const { return &value_; }
    Iterator& operator++();
    Iterator operator++(int);
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    std::string_view rest_;
    const char* at_ = nullptr;  // where value_ begins; null at the end
    ValueView value_;
  };

  ArrayView() = default;
  explicit ArrayView(std::string_view bytes) : bytes_(bytes) {}

  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return {}; }
  bool empty() const { return bytes_.empty(); }
  std::string_view bytes() const { return bytes_; }
  bool operator==(const ArrayView&) const = default;

 private:
  std::string_view bytes_;
};

struct Field {
  std::string_view key;
  ValueView value;
};

// An encoded table without its length prefix, valid as long as those bytes are. Nothing is
// allocated and keys stay in their order. Equality is that of the bytes.
class TableView {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Field;
    using difference_type = std::ptrdiff_t;
    using pointer = const Field*;
    using reference = const Field&;

    Iterator() = default;
    explicit Iterator(std::string_view rest);
    reference operator*() const { return field_; }
    pointer operator->() const { return &field_; }
    Iterator& operator++();
    Iterator operator++(int);
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    std::string_view rest_;
    const char* at_ = nullptr;  // where field_ begins; null at the end
    Field field_;
  };

  // The empty table.
  TableView() = default;

  // The way in for received bytes: checks the whole of `bytes` within table_depth_max and
  // table_node_count_max, without recursion; sets `out` only if all is well.
  static DecodeError parse(std::string_view bytes, TableView& out);

  // For bytes that parse() has accepted before. With any others iteration ends early, but never
  // leaves `bytes`.
  static TableView unchecked(std::string_view bytes) { return TableView(bytes); }

  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return {}; }
  bool empty() const { return bytes_.empty(); }

  // The first one, should the key be there twice. Looks at one key after the other.
  std::optional<ValueView> find(std::string_view key) const;

  std::string_view bytes() const { return bytes_; }
  bool operator==(const TableView&) const = default;

 private:
  explicit TableView(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

class Table;

// A value to put in a Table, encoded and owned. An integer whose type fits in 32 signed bits is
// written as 'I', a wider one as 'l', the types that every peer reads.
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
  // The strings, tables and arrays throw std::length_error beyond 4 GiB, the wire's limit.
  Value(std::string_view text);
  Value(const Table& table);
  Value(TableView table);
  Value(const std::vector<Value>& array);
  Value(ValueView value) : bytes_(value.bytes()) {}

  // Of type 'x', where a string is 'S'.
  static Value binary(std::string_view bytes);

  // Valid until the value is assigned to or destroyed.
  ValueView view() const;
  std::string_view bytes() const { return bytes_; }
  bool operator==(const Value&) const = default;

 private:
  void set_int32(std::int32_t value);
  void set_int64(std::int64_t value);
  void set_sized(char tag, std::string_view bytes);

  std::string bytes_;
};

// A table that is being put together; owns its encoding.
//   Table{{"x-max-priority", 10}, {"text", "s"}, {"nested", Table{{"a", true}}}}
class Table {
 public:
  Table() = default;
  Table(std::initializer_list<std::pair<std::string_view, Value>> fields);
  explicit Table(TableView view) : bytes_(view.bytes()) {}

  // Replaces the value in its place, or adds the key at the end. Throws std::length_error for a
  // key of more than 255 bytes.
  void set(std::string_view key, const Value& value);
  // Whether there was one.
  bool erase(std::string_view key);

  // Valid until the table is changed or destroyed.
  TableView view() const { return TableView::unchecked(bytes_); }
  operator TableView() const { return view(); }
  std::string_view bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  bool operator==(const Table&) const = default;

 private:
  std::string bytes_;
};

}  // namespace haypile::amqp
