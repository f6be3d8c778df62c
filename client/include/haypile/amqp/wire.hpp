// Integers in network byte order. The caller has checked that they are within bounds.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <haypile/config.hpp>

namespace haypile::amqp::wire {

template <std::unsigned_integral T>
T load(const char* from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((std::uint64_t{value} << 8) | static_cast<unsigned char>(from[i]));
  }
  return value;
}

template <std::unsigned_integral T>
void store(char* to, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    to[i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
  }
}

// Returns the place behind what was written.
template <std::unsigned_integral T>
char* put(char* to, T value) {
  store(to, value);
  return to + sizeof(T);
}

inline char* put_bytes(char* to, const char* from, std::size_t size) {
  if (size != 0) std::memcpy(to, from, size);
  return to + size;
}

}  // namespace haypile::amqp::wire
