#include "session/text.hpp"

#include <cstdint>

namespace haypile::session {

namespace {

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u;
}

// How many bytes the character takes that `text` begins with; 0 if it is none that may be printed.
std::size_t character_size(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  std::uint32_t code = first & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return 0;
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
  }
  if (size == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) return 0;
  if (size == 4 && (code < 0x10000 || code > 0x10ffff)) return 0;
  // C1 controls, line and paragraph separators, and what turns the direction of writing.
  const bool is_control = code < 0xa0 || (code >= 0x2028 && code <= 0x202e) ||
                          (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f;
  return is_control ? 0 : size;
}

}  // namespace

std::string printable(std::string_view text, std::size_t size_max) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (result.size() + (size == 0 ? 4 : size) > size_max) return result + "...";
    if (size == 0) {
      const auto byte = static_cast<unsigned char>(text[0]);
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
      text.remove_prefix(1);
    } else {
      result += text.substr(0, size);
      text.remove_prefix(size);
    }
  }
  return result;
}

}  // namespace haypile::session
