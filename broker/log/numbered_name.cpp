#include "log/numbered_name.hpp"

#include <charconv>
#include <cstdio>

namespace haypile::log {

namespace {
constexpr std::size_t digit_count = 16;
}  // namespace

std::string numbered_name(std::uint64_t number, std::string_view suffix) {
  char digits[digit_count + 1];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number));
  return digits + std::string(suffix);
}

// Other digits than numbered_name() writes would give two files the same number.
std::optional<std::uint64_t> number_in(std::string_view name, std::string_view suffix) {
  if (name.size() != digit_count + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(name.data(), name.data() + digit_count, number, 16);
  return numbered_name(number, suffix) == name ? std::optional(number) : std::nullopt;
}

}  // namespace haypile::log
