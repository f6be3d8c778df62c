#include "log/contents.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>

#include "log/file_system.hpp"

namespace haypile::log {

namespace {

constexpr std::string_view id_prefix = "haypile data 1 ";
constexpr std::string_view version_prefix = "haypile contents ";
constexpr std::string_view id_line = "id ";
constexpr std::string_view vhost_line = "vhost ";
constexpr std::string_view checksum_line = "checksum ";
// The name of a file has at most 255 bytes. This leaves room for a suffix.
constexpr std::size_t directory_name_max = 200;

template <class Number>
std::optional<Number> parse(std::string_view digits, int base) {
  Number number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return number;
}

std::string hex(std::uint64_t number) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number));
  return digits;
}

std::string hex(const DirectoryId& id) {
  std::string text;
  for (const unsigned char byte : id) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

std::optional<DirectoryId> parse_hex(std::string_view text) {
  DirectoryId id{};
  if (text.size() != 2 * id.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const auto byte = parse<unsigned>(text.substr(2 * i, 2), 16);
    if (!byte) return std::nullopt;
    id[i] = static_cast<unsigned char>(*byte);
  }
  // Encoded ids have lower-case digits.
  return hex(id) == text ? std::optional(id) : std::nullopt;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

std::string percent_encode(std::string_view name) {
  std::string out;
  for (const char c : name) {
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    is_plain(c) ? out += c : out += code;
  }
  return out;
}

// Returns nothing for a text that percent_encode() never makes.
std::optional<std::string> percent_decode(std::string_view text) {
  const std::string_view whole = text;
  std::string name;
  while (!text.empty()) {
    if (text.front() != '%') {
      name += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto byte = parse<unsigned>(text.substr(1, 2), 16);
    if (text.size() < 3 || !byte) return std::nullopt;
    name += static_cast<char>(*byte);
    text.remove_prefix(3);
  }
  return percent_encode(name) == whole ? std::optional(name) : std::nullopt;
}

// Removes a line that begins with `prefix`. Returns nothing if the next line does not.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view prefix) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(prefix)) return std::nullopt;
  const std::string_view line = text.substr(prefix.size(), end - prefix.size());
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::string encode_id(const DirectoryId& id) {
  return std::string(id_prefix) + hex(id) + "\n";
}

std::optional<DirectoryId> decode_id(std::string_view text) {
  const auto digits = take_line(text, id_prefix);
  return digits && text.empty() ? parse_hex(*digits) : std::nullopt;
}

std::string encode_contents(const Contents& contents) {
  std::string text(version_prefix);
  text += std::to_string(format_version) + "\n";
  text.append(id_line).append(hex(contents.id)).append("\n");
  for (const std::string& vhost : contents.vhosts)
    text.append(vhost_line).append(percent_encode(vhost)).append("\n");
  const std::uint64_t sum = checksum(text, contents.id, 0);
  return text.append(checksum_line).append(hex(sum)).append("\n");
}

std::optional<Contents> decode_contents(std::string_view text, const std::string& path) {
  std::string_view rest = text;
  Contents contents;
  const auto version = take_line(rest, version_prefix);
  const auto number = version ? parse<std::uint32_t>(*version, 10) : std::nullopt;
  if (!number) return std::nullopt;
  const auto id = take_line(rest, id_line);
  if (id) contents.id = parse_hex(*id).value_or(DirectoryId{});
  while (const auto vhost = take_line(rest, vhost_line)) {
    const auto name = percent_decode(*vhost);
    if (!name) return std::nullopt;
    contents.vhosts.insert(*name);
  }
  const std::string_view summed = text.substr(0, text.size() - rest.size());
  const auto sum = take_line(rest, checksum_line);
  if (!id || !sum || !rest.empty() || *sum != hex(checksum(summed, contents.id, 0))) {
    return std::nullopt;
  }
  if (const std::string error = version_error(*number); !error.empty()) {
    throw IoError("'" + path + "' " + error);
  }
  return contents;
}

std::string directory_name(std::string_view vhost) {
  std::string name = percent_encode(vhost);
  if (name.size() <= directory_name_max) return name;
  name.resize(directory_name_max);
  return name + "." + hex(checksum(vhost, {}, 0));
}

std::optional<std::string> vhost_name(std::string_view directory) {
  if (directory.size() > directory_name_max) return std::nullopt;
  return percent_decode(directory);
}

}  // namespace haypile::log
