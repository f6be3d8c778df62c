// Integers and strings in records: how to write them, and how to read them safely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "engine/definitions.hpp"
#include "log/format.hpp"

namespace haypile::log {

inline constexpr std::size_t varint_size_max = 10;

// These two write to a place that has room, and return the place behind.
inline char* put_varint(char* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
inline char* put_string(char* to, std::string_view text) {
  to = put_varint(to, text.size());
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

inline void put_varint(std::string& out, std::uint64_t value) {
  char bytes[varint_size_max];
  out.append(bytes, put_varint(bytes, value));
}

inline void put_string(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

// Makes room for up to `size_max` more bytes, and returns where they begin.
inline char* extend(std::string& out, std::size_t size_max) {
  const std::size_t before = out.size();
  out.resize(before + size_max);
  return out.data() + before;
}
// Removes the room that was not written to.
inline void cut(std::string& out, const char* end) {
  out.resize(static_cast<std::size_t>(end - out.data()));
}

// The largest number of bytes that put_strings() writes.
inline std::size_t strings_size_max(const engine::MessageView& message) {
  return 4 * varint_size_max + message.exchange.size() + message.routing_key.size() +
         message.properties.size();
}
// Writes a message's strings except its body, and the size of the body.
inline char* put_strings(char* to, const engine::MessageView& message) {
  to = put_string(to, message.exchange);
  to = put_string(to, message.routing_key);
  to = put_string(to, message.properties);
  return put_varint(to, message.body.size());
}

// Reads the parts of a record. After the first failure it reads nothing, and all values are 0.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t byte() {
    if (rest_.empty()) return fail();
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint64_t varint() {
    // Most integers have one byte.
    if (!rest_.empty() && static_cast<unsigned char>(rest_.front()) < 0x80) [[likely]] {
      return byte();
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint64_t part = byte();
      value |= (part & 0x7F) << shift;
      if (part < 0x80) return value;
    }
    return fail();
  }
  std::string_view string() {
    const std::uint64_t size = varint();
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  // Fails if the value has more than 32 bits.
  std::uint32_t varint_32() {
    const std::uint64_t value = varint();
    if (value > std::numeric_limits<std::uint32_t>::max()) return fail();
    return static_cast<std::uint32_t>(value);
  }
  std::uint64_t u64() {
    if (rest_.size() < 8) return fail();
    const std::uint64_t value = get_u64(rest_, 0);
    rest_.remove_prefix(8);
    return value;
  }
  bool boolean() {
    const std::uint8_t value = byte();
    if (value > 1) fail();
    return value == 1;
  }
  std::uint8_t fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace haypile::log
