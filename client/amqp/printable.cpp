#include <haypile/amqp/printable.hpp>

#include <algorithm>
#include <cstdint>

namespace haypile::amqp {

namespace {

constexpr std::string_view cut_mark = "...";

bool is_plain(char octet) {
  return octet >= ' ' && octet <= '~';
}

// The size and the code of the character at the beginning of a text; size 0 if it is not UTF-8.
struct Character {
  std::size_t size = 0;
  std::uint32_t code = 0;
};

Character first_character(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = octet(0);
  if (lead < 0x80) return {1, lead};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t code = lead & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((octet(i) >> 6) != 2) return {};
    code = (code << 6) | (octet(i) & 0x3fu);
  }
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < smallest[size] || code > 0x10ffff || is_surrogate) return {};
  return {size, code};
}

bool is_within(std::uint32_t code, std::uint32_t first, std::uint32_t last) {
  return code >= first && code <= last;
}

// Control characters of ASCII and Latin-1, characters without width, line ends of Unicode, and
// characters that change the direction of writing.
bool is_harmful(std::uint32_t code) {
  return code < 0x20 || is_within(code, 0x7f, 0x9f) || code == 0xad || code == 0x61c ||
         is_within(code, 0x200b, 0x200f) || is_within(code, 0x2028, 0x202e) ||
         is_within(code, 0x2060, 0x206f) || code == 0xfeff || is_within(code, 0xfff0, 0xfffb) ||
         is_within(code, 0xe0000, 0xe0fff);
}

std::string escaped(char c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  constexpr std::string_view digits = "0123456789abcdef";
  const auto octet = static_cast<unsigned char>(c);
  return {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
}

}  // namespace

std::string printable(std::string_view text, std::size_t size_max) {
  if (text.size() <= size_max && std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string out;
  std::size_t cut_at = 0;  // the part of `out` that leaves room for the mark
  while (!text.empty()) {
    const Character character = first_character(text);
    const std::size_t size = std::max<std::size_t>(character.size, 1);
    if (character.size != 0 && !is_harmful(character.code)) {
      out += text.substr(0, size);
    } else {
      for (const char octet : text.substr(0, size))
        out += escaped(octet);
    }
    if (out.size() > size_max) return out.substr(0, cut_at).append(cut_mark);
    if (out.size() + cut_mark.size() <= size_max) cut_at = out.size();
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace haypile::amqp
