// Where a key or a value in an encoded table ends (RabbitMQ's value types, see table_view.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <haypile/amqp/types.hpp>
#include <haypile/amqp/wire.hpp>

namespace haypile::amqp::detail {

inline constexpr std::size_t length_size = 4;

// What follows a tag: a fixed number of octets, or a length of four octets and that many octets.
struct Layout {
  enum Kind : std::uint8_t { unknown, fixed, sized };
  Kind kind = unknown;
  std::uint8_t size = 0;
};

inline constexpr std::array<Layout, 256> layouts = [] {
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
inline DecodeError measure_value(std::string_view bytes, std::size_t& size) {
  if (bytes.empty()) return DecodeError::truncated;
  const Layout layout = layouts[static_cast<unsigned char>(bytes.front())];
  if (layout.kind == Layout::unknown) return DecodeError::unknown_tag;
  size = 1 + std::size_t{layout.size};
  if (bytes.size() < size) return DecodeError::truncated;
  if (layout.kind == Layout::sized) size += wire::load<std::uint32_t>(bytes.data() + 1);
  return bytes.size() < size ? DecodeError::truncated : DecodeError::none;
}

// Sets `size` to the size of the key at the beginning of `bytes`, including its length octet.
inline bool measure_key(std::string_view bytes, std::size_t& size) {
  if (bytes.empty()) return false;
  size = 1 + std::size_t{static_cast<unsigned char>(bytes.front())};
  return bytes.size() >= size;
}

}  // namespace haypile::amqp::detail
