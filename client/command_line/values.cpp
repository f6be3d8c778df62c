#include "command_line/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

namespace haypile::command_line {

namespace {

constexpr std::string_view units = "KMGTPE";

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The power of 1024 that a unit stands for.
std::optional<unsigned> power(std::string_view unit) {
  std::string upper(unit);
  for (char& letter : upper)
    letter = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  if (upper.empty() || upper == "B") return 0;
  const std::size_t at = units.find(upper.front());
  const std::string rest = upper.substr(1);
  if (at == std::string_view::npos || !(rest.empty() || rest == "B" || rest == "IB")) {
    return std::nullopt;
  }
  return static_cast<unsigned>(at + 1);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::size_t unit = std::min(text.find_first_not_of(' ', digits), text.size());
  const auto value = number(text.substr(0, digits));
  const auto shift = power(text.substr(unit));
  if (!value || !shift || *value > UINT64_MAX >> (10 * *shift)) return std::nullopt;
  return *value << (10 * *shift);
}

}  // namespace

CLI::Validator whole_number(std::uint64_t min, std::uint64_t max) {
  const auto check = [min, max](std::string& text) -> std::string {
    const auto value = number(text);
    if (value && *value >= min && *value <= max) return "";
    return "'" + text + "' is not a whole number from " + std::to_string(min) + " to " +
           std::to_string(max);
  };
  return {check, ""};
}

CLI::Validator size(std::uint64_t min, std::uint64_t max) {
  const auto check = [min, max](std::string& text) -> std::string {
    const auto bytes = parse_size(text);
    if (!bytes || *bytes < min || *bytes > max) {
      return "'" + text + "' is not a size from " + size_text(min) + " to " + size_text(max) +
             "; a size is a number of bytes, also with a unit, such as 64MiB";
    }
    text = std::to_string(*bytes);
    return "";
  };
  return {check, ""};
}

CLI::Validator one_of(std::vector<std::string> words) {
  const auto check = [words = std::move(words)](std::string& text) -> std::string {
    if (std::ranges::find(words, text) != words.end()) return "";
    std::string list;
    for (const std::string& word : words) {
      list += list.empty() ? "" : &word == &words.back() ? " or " : ", ";
      list += word;
    }
    return "'" + text + "' is not " + list;
  };
  return {check, ""};
}

std::string size_text(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  unsigned shift = 0;
  while (shift < units.size() && bytes % 1024 == 0) {
    bytes /= 1024;
    ++shift;
  }
  std::string text = std::to_string(bytes);
  if (shift == 0) return text;
  text += units[shift - 1];
  return text += "iB";
}

std::chrono::milliseconds seconds(const std::string& option, const std::string& text) {
  constexpr double most = 365.0 * 24 * 3600;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= most)) {
    throw CLI::ValidationError(option,
                               "'" + text + "' is not a time in seconds, such as 90 or 0.5");
  }
  return std::chrono::milliseconds(std::llround(value * 1000));
}

}  // namespace haypile::command_line
