#include <haypile/amqp/table_view.hpp>

#include <bit>
#include <type_traits>

#include <haypile/amqp/wire.hpp>

#include "layout.hpp"
#include "validator.hpp"

namespace haypile::amqp {
namespace {

using detail::length_size;
using detail::measure_key;
using detail::measure_value;

std::optional<Field> cut_field(std::string_view& bytes) {
  std::size_t key_size = 0;
  if (!measure_key(bytes, key_size)) return std::nullopt;
  const std::string_view key = bytes.substr(1, key_size - 1);
  bytes.remove_prefix(key_size);
  const auto value = ValueView::cut(bytes);
  if (!value) return std::nullopt;
  return Field{key, *value};
}

template <class T>
std::int64_t load_signed(std::string_view payload) {
  return static_cast<T>(wire::load<std::make_unsigned_t<T>>(payload.data()));
}

}  // namespace

std::optional<ValueView> ValueView::cut(std::string_view& bytes) {
  std::size_t size = 0;
  if (measure_value(bytes, size) != DecodeError::none) return std::nullopt;
  const ValueView value(bytes.substr(0, size));
  bytes.remove_prefix(size);
  return value;
}

std::optional<std::int64_t> ValueView::as_int64() const {
  switch (tag()) {
    case 'b':
      return load_signed<std::int8_t>(payload());
    case 'B':
      return wire::load<std::uint8_t>(payload().data());
    case 's':
      return load_signed<std::int16_t>(payload());
    case 'u':
      return wire::load<std::uint16_t>(payload().data());
    case 'I':
      return load_signed<std::int32_t>(payload());
    case 'i':
      return wire::load<std::uint32_t>(payload().data());
    case 'l':
    case 'L':
      return load_signed<std::int64_t>(payload());
    default:
      return std::nullopt;
  }
}

std::optional<bool> ValueView::as_bool() const {
  if (tag() != 't') return std::nullopt;
  return payload().front() != 0;
}

std::optional<std::string_view> ValueView::as_string() const {
  if (tag() != 'S' && tag() != 'x') return std::nullopt;
  return payload().substr(length_size);
}

std::optional<double> ValueView::as_double() const {
  if (tag() == 'f') return std::bit_cast<float>(wire::load<std::uint32_t>(payload().data()));
  if (tag() == 'd') return std::bit_cast<double>(wire::load<std::uint64_t>(payload().data()));
  return std::nullopt;
}

std::optional<Timestamp> ValueView::as_timestamp() const {
  if (tag() != 'T') return std::nullopt;
  return Timestamp{wire::load<std::uint64_t>(payload().data())};
}

std::optional<Decimal> ValueView::as_decimal() const {
  if (tag() != 'D') return std::nullopt;
  const auto scale = static_cast<std::uint8_t>(payload().front());
  return Decimal{scale, static_cast<std::int32_t>(load_signed<std::int32_t>(payload().substr(1)))};
}

OptionalView<TableView> ValueView::as_table() const {
  if (tag() != 'F') return std::nullopt;
  return TableView::unchecked(payload().substr(length_size));
}

OptionalView<ArrayView> ValueView::as_array() const {
  if (tag() != 'A') return std::nullopt;
  return ArrayView(payload().substr(length_size));
}

TableView ValueView::table() const {
  return as_table().value_or(TableView());
}

ArrayView ValueView::array() const {
  return as_array().value_or(ArrayView());
}

ArrayView::Iterator::Iterator(std::string_view rest) : rest_(rest) {
  ++*this;
}

ArrayView::Iterator& ArrayView::Iterator::operator++() {
  const char* const at = rest_.data();
  const auto value = ValueView::cut(rest_);
  at_ = value ? at : nullptr;
  if (value) value_ = *value;
  return *this;
}

ArrayView::Iterator ArrayView::Iterator::operator++(int) {
  Iterator before = *this;
  ++*this;
  return before;
}

TableView::Iterator::Iterator(std::string_view rest) : rest_(rest) {
  ++*this;
}

TableView::Iterator& TableView::Iterator::operator++() {
  const char* const at = rest_.data();
  const auto field = cut_field(rest_);
  at_ = field ? at : nullptr;
  if (field) field_ = *field;
  return *this;
}

TableView::Iterator TableView::Iterator::operator++(int) {
  Iterator before = *this;
  ++*this;
  return before;
}

DecodeError TableView::parse(std::string_view bytes, TableView& out) {
  if (!bytes.empty()) {
    const DecodeError error = detail::Validator(bytes).run();
    if (error != DecodeError::none) return error;
  }
  out = TableView(bytes);
  return DecodeError::none;
}

std::optional<ValueView> TableView::find(std::string_view key) const {
  for (const Field& field : *this) {
    if (field.key == key) return field.value;
  }
  return std::nullopt;
}

TableView TableView::table(std::string_view key) const {
  return find(key).value_or(ValueView()).table();
}

ArrayView TableView::array(std::string_view key) const {
  return find(key).value_or(ValueView()).array();
}

}  // namespace haypile::amqp
