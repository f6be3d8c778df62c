#include <array>
#include <bit>

#include <haypile/amqp/table.hpp>
#include <haypile/amqp/wire.hpp>

namespace haypile::amqp {
namespace {

constexpr std::size_t length_size = 4;

// What follows a tag: a fixed number of octets, or a length of four octets and that many octets.
struct Layout {
  enum Kind : std::uint8_t { unknown, fixed, sized };
  Kind kind = unknown;
  std::uint8_t size = 0;
};

constexpr std::array<Layout, 256> layouts = [] {
  std::array<Layout, 256> all{};
  for (const char tag : {'S', 'x', 'A', 'F'}) {
    all[static_cast<unsigned char>(tag)] = {Layout::sized, length_size};
  }
  const std::pair<char, std::uint8_t> fixed_sizes[] = {
      {'t', 1}, {'b', 1}, {'B', 1}, {'s', 2}, {'u', 2}, {'I', 4}, {'i', 4},
      {'l', 8}, {'L', 8}, {'f', 4}, {'d', 8}, {'D', 5}, {'T', 8}, {'V', 0}};
  for (const auto& [tag, size] : fixed_sizes) {
    all[static_cast<unsigned char>(tag)] = {Layout::fixed, size};
  }
  return all;
}();

// Sets `size` to the size of the value at the beginning of `bytes`, including its tag.
DecodeError measure_value(std::string_view bytes, std::size_t& size) {
  if (bytes.empty()) return DecodeError::truncated;
  const Layout layout = layouts[static_cast<unsigned char>(bytes.front())];
  if (layout.kind == Layout::unknown) return DecodeError::unknown_tag;
  size = 1 + std::size_t{layout.size};
  if (bytes.size() < size) return DecodeError::truncated;
  if (layout.kind == Layout::sized) size += wire::load<std::uint32_t>(bytes.data() + 1);
  return bytes.size() < size ? DecodeError::truncated : DecodeError::none;
}

// Sets `size` to the size of the key at the beginning of `bytes`, including its length octet.
bool measure_key(std::string_view bytes, std::size_t& size) {
  if (bytes.empty()) return false;
  size = 1 + std::size_t{static_cast<unsigned char>(bytes.front())};
  return bytes.size() >= size;
}

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

// Checks all values of a table. Keeps the ends of open tables and arrays in an array instead of
// recursing, so that no input can exhaust the stack.
class Validator {
 public:
  explicit Validator(std::string_view bytes) : bytes_(bytes) {}

  DecodeError run() {
    open_[0] = {bytes_.size(), true};
    while (depth_ > 0) {
      if (at_ == innermost().end) {
        --depth_;
        continue;
      }
      const DecodeError error = step();
      if (error != DecodeError::none) return error;
    }
    return DecodeError::none;
  }

 private:
  struct Open {
    std::size_t end;
    bool has_keys;
  };

  const Open& innermost() const { return open_[depth_ - 1]; }
  std::string_view rest() const { return bytes_.substr(at_, innermost().end - at_); }

  // Handles one value: steps over it, or into it if it contains values.
  DecodeError step() {
    if (++node_count_ > table_node_count_max) return DecodeError::too_many;
    if (innermost().has_keys) {
      std::size_t key_size = 0;
      if (!measure_key(rest(), key_size)) return DecodeError::truncated;
      at_ += key_size;
    }
    std::size_t size = 0;
    const DecodeError error = measure_value(rest(), size);
    if (error != DecodeError::none) return error;
    const char tag = bytes_[at_];
    const std::size_t end = at_ + size;
    if (tag != 'F' && tag != 'A') {
      at_ = end;
      return DecodeError::none;
    }
    if (depth_ == open_.size()) return DecodeError::too_deep;
    open_[depth_++] = {end, tag == 'F'};
    at_ += 1 + length_size;
    return DecodeError::none;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t node_count_ = 0;
  std::size_t depth_ = 1;
  std::array<Open, table_depth_max> open_;
};

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

std::optional<TableView> ValueView::as_table() const {
  if (tag() != 'F') return std::nullopt;
  return TableView::unchecked(payload().substr(length_size));
}

std::optional<ArrayView> ValueView::as_array() const {
  if (tag() != 'A') return std::nullopt;
  return ArrayView(payload().substr(length_size));
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
    const DecodeError error = Validator(bytes).run();
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

}  // namespace haypile::amqp
