// Reading field tables and arrays with RabbitMQ's set of value types, which differs from section
// 4.2.1 of the specification: t b B s u I i l L f d D S x A T F V.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include <haypile/amqp/optional_view.hpp>
#include <haypile/amqp/timestamp.hpp>
#include <haypile/amqp/types.hpp>

namespace haypile::amqp {

class TableView;
class ArrayView;

inline constexpr std::size_t table_depth_max = 32;
inline constexpr std::size_t table_node_count_max = 16384;

// The number unscaled / 10^scale (4.2.5.5).
struct Decimal {
  std::uint8_t scale = 0;
  std::int32_t unscaled = 0;
  bool operator==(const Decimal&) const = default;
};

namespace detail {

template <class T, class... Types>
concept OneOf = (std::same_as<T, Types> || ...);

// The types that ValueView::as() can read.
template <class T>
concept Readable = OneOf<T, std::int64_t, bool, double, std::string_view, Timestamp, Decimal,
                         TableView, ArrayView>;

}  // namespace detail

// One value in a table or array; a view into the bytes of the table. An accessor returns nothing if
// the value has another type.
class ValueView {
 public:
  // Void: the value that means nothing.
  ValueView() = default;

  // Cuts the first value, tag first, off `bytes`. Returns nothing if it is truncated or has an
  // unknown type. The content of a nested table or array is not checked.
  static std::optional<ValueView> cut(std::string_view& bytes);

  char tag() const { return bytes_.front(); }
  bool is_void() const { return tag() == 'V'; }

  // The value of any integer type. An 'L' of more than INT64_MAX is returned as a negative number,
  // because client libraries write signed numbers with that tag.
  std::optional<std::int64_t> as_int64() const;
  std::optional<bool> as_bool() const;
  // The value of 'S' (text) and 'x' (bytes).
  std::optional<std::string_view> as_string() const;
  // The value of 'f' and 'd'.
  std::optional<double> as_double() const;
  std::optional<Timestamp> as_timestamp() const;
  std::optional<Decimal> as_decimal() const;
  OptionalView<TableView> as_table() const;
  OptionalView<ArrayView> as_array() const;

  // The same accessors by the type that they return, such as as<std::int64_t>().
  template <detail::Readable T>
  auto as() const;

  // A nested table or array; an empty one if the value has another type.
  TableView table() const;
  ArrayView array() const;

  // The encoded value, including the tag.
  std::string_view bytes() const { return bytes_; }
  bool operator==(const ValueView&) const = default;

 private:
  explicit ValueView(std::string_view bytes) : bytes_(bytes) {}
  std::string_view payload() const { return bytes_.substr(1); }

  std::string_view bytes_ = "V";
};

// The values of an encoded array, in order; a view of its bytes without the length prefix. A loop
// over the array of a temporary view is safe, since the view does not own the bytes:
//   for (const ValueView& each : value.array())
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
    const char* at_ = nullptr;  // the beginning of value_; null at the end
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

// A key of a table and its value; both are views.
struct Field {
  std::string_view key;
  ValueView value;
};

// An encoded table; a view of its bytes without the length prefix. Allocates nothing, and keeps the
// order of the keys. Two views are equal if their bytes are.
//
// For example, why and how often a dead letter died, which a broker writes into its headers:
//   for (const ValueView& death : headers.array("x-death")) {
//     const TableView entry = death.table();
//     const std::string_view queue = entry.get<std::string_view>("queue").value_or("");
//     const std::int64_t count = entry.get<std::int64_t>("count").value_or(0);
//   }
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
    const char* at_ = nullptr;  // the beginning of field_; null at the end
    Field field_;
  };

  // An empty table.
  TableView() = default;

  // Checks received bytes completely, with the limits table_depth_max and table_node_count_max,
  // without recursion. Sets `out` only if they are valid.
  static DecodeError parse(std::string_view bytes, TableView& out);

  // Takes bytes that parse() has accepted before. With other bytes, iteration ends too early, but
  // never leaves `bytes`.
  static TableView unchecked(std::string_view bytes) { return TableView(bytes); }

  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return {}; }
  bool empty() const { return bytes_.empty(); }

  // Returns the first value if the key is there twice. The time is proportional to the number of
  // keys.
  std::optional<ValueView> find(std::string_view key) const;

  // The value of the key; nothing if the key is not there, or its value has another type. T is
  // std::int64_t (for integers of any width), bool, double, std::string_view, Timestamp, Decimal,
  // TableView or ArrayView.
  template <detail::Readable T>
  auto get(std::string_view key) const;
  // The nested table or array of the key; an empty one if there is none.
  TableView table(std::string_view key) const;
  ArrayView array(std::string_view key) const;

  std::string_view bytes() const { return bytes_; }
  bool operator==(const TableView&) const = default;

 private:
  explicit TableView(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

template <detail::Readable T>
auto ValueView::as() const {
  if constexpr (std::same_as<T, std::int64_t>) return as_int64();
  if constexpr (std::same_as<T, bool>) return as_bool();
  if constexpr (std::same_as<T, double>) return as_double();
  if constexpr (std::same_as<T, std::string_view>) return as_string();
  if constexpr (std::same_as<T, Timestamp>) return as_timestamp();
  if constexpr (std::same_as<T, Decimal>) return as_decimal();
  if constexpr (std::same_as<T, TableView>) return as_table();
  if constexpr (std::same_as<T, ArrayView>) return as_array();
}

template <detail::Readable T>
auto TableView::get(std::string_view key) const {
  const auto value = find(key);
  return value ? value->as<T>() : decltype(value->as<T>())();
}

}  // namespace haypile::amqp
