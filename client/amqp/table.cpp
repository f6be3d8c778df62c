#include <haypile/amqp/table.hpp>

#include <bit>
#include <stdexcept>

#include <haypile/amqp/printable.hpp>
#include <haypile/amqp/wire.hpp>

#include "validator.hpp"

namespace haypile::amqp {
namespace {

template <class T>
void append_integer(std::string& out, T value) {
  char octets[sizeof(T)];
  wire::store(octets, value);
  out.append(octets, sizeof(T));
}

template <class T>
std::string encode_integer(char tag, T value) {
  std::string bytes(1, tag);
  append_integer(bytes, value);
  return bytes;
}

std::string encode_array(const std::vector<Value>& array) {
  std::string bytes;
  for (const Value& value : array)
    bytes += value.bytes();
  return bytes;
}

}  // namespace

Value::Value(Timestamp value) : bytes_(encode_integer('T', value.seconds)) {}

Value::Value(Decimal value) : bytes_{'D', static_cast<char>(value.scale)} {
  append_integer(bytes_, static_cast<std::uint32_t>(value.unscaled));
}

Value::Value(const char* text) {
  if (text == nullptr) throw std::invalid_argument("table value of a null pointer");
  set_sized('S', text);
}

Value::Value(std::string_view text) {
  set_sized('S', text);
}

Value::Value(const Table& table) : Value(table.view()) {}

Value::Value(TableView table) {
  set_sized('F', table.bytes());
}

Value::Value(const std::vector<Value>& array) {
  set_sized('A', encode_array(array));
}

Value Value::binary(std::string_view bytes) {
  Value value;
  value.set_sized('x', bytes);
  return value;
}

ValueView Value::view() const {
  std::string_view rest = bytes_;
  return ValueView::cut(rest).value_or(ValueView());
}

std::int64_t Value::checked_int64(std::uint64_t value) {
  if (!std::in_range<std::int64_t>(value)) {
    throw std::out_of_range("table value " + std::to_string(value) + " of more than 63 bits");
  }
  return static_cast<std::int64_t>(value);
}

void Value::set_int32(std::int32_t value) {
  bytes_ = encode_integer('I', static_cast<std::uint32_t>(value));
}

void Value::set_int64(std::int64_t value) {
  bytes_ = encode_integer('l', static_cast<std::uint64_t>(value));
}

void Value::set_double(double value) {
  bytes_ = encode_integer('d', std::bit_cast<std::uint64_t>(value));
}

void Value::set_sized(char tag, std::string_view bytes) {
  if (bytes.size() > UINT32_MAX) throw std::length_error("table value of more than 4 GiB");
  bytes_ = encode_integer(tag, static_cast<std::uint32_t>(bytes.size()));
  bytes_ += bytes;
}

Table::Table(std::initializer_list<std::pair<std::string_view, Value>> fields) {
  for (const auto& [key, value] : fields)
    set(key, value);
}

void Table::set(std::string_view key, const Value& value) {
  if (!fits_short_string(key)) throw std::length_error("table key of more than 255 bytes");
  const DecodeError error = put(key, value.bytes());
  if (error == DecodeError::none) return;
  const std::string what =
      "cannot set '" + printable(key) + "' in a table: " + std::string(text(error));
  if (error == DecodeError::too_deep || error == DecodeError::too_many) {
    throw std::length_error(what);
  }
  throw std::invalid_argument(what);
}

bool Table::try_set(std::string_view key, const Value& value) {
  return fits_short_string(key) && put(key, value.bytes()) == DecodeError::none;
}

// Returns what would be wrong with the table if `value` was there instead of `old_value`, which may
// be empty.
DecodeError Table::check(std::string_view old_value, std::string_view value) const {
  detail::Validator added(value, false);
  const DecodeError error = added.run();
  // Every value takes a byte or more, so only in a long table there may be too many.
  const bool is_short = bytes_.size() + value.size() <= table_node_count_max;
  if (error != DecodeError::none || is_short) return error;
  detail::Validator all(bytes_);
  detail::Validator replaced(old_value, false);
  for (detail::Validator* const each : {&all, &replaced}) {
    if (const DecodeError bad = each->run(); bad != DecodeError::none) return bad;
  }
  const std::size_t node_count = all.node_count() - replaced.node_count() + added.node_count();
  return node_count > table_node_count_max ? DecodeError::too_many : DecodeError::none;
}

DecodeError Table::put(std::string_view key, std::string_view value) {
  const auto old = view().find(key);
  const std::string_view old_value = old ? old->bytes() : std::string_view();
  const DecodeError error = check(old_value, value);
  if (error != DecodeError::none) return error;
  if (old) {
    const auto at = static_cast<std::size_t>(old_value.data() - bytes_.data());
    bytes_.replace(at, old_value.size(), value);
    return DecodeError::none;
  }
  bytes_ += static_cast<char>(key.size());
  bytes_ += key;
  bytes_ += value;
  return DecodeError::none;
}

bool Table::erase(std::string_view key) {
  const auto value = view().find(key);
  if (!value) return false;
  const auto value_at = static_cast<std::size_t>(value->bytes().data() - bytes_.data());
  const std::size_t field_at = value_at - key.size() - 1;
  bytes_.erase(field_at, value_at + value->bytes().size() - field_at);
  return true;
}

}  // namespace haypile::amqp
