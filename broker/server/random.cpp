#include "server/random.hpp"

#include <array>
#include <string_view>

#include <sys/random.h>

#include <haypile/broker.hpp>

namespace haypile::server {

namespace {

template <class T>
T random_value() {
  T value;
  if (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
    throw BrokerError("the system gives no random numbers");
  }
  return value;
}

}  // namespace

std::uint64_t random_number() {
  return random_value<std::uint64_t>();
}

std::string random_name() {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const auto bytes = random_value<std::array<unsigned char, 16>>();
  std::string name;
  unsigned bits = 0;
  unsigned bit_count = 0;
  for (const unsigned char byte : bytes) {
    bits = (bits << 8) | byte;
    for (bit_count += 8; bit_count >= 6; bit_count -= 6) {
      name += alphabet[(bits >> (bit_count - 6)) & 63U];
    }
  }
  name += alphabet[(bits << (6 - bit_count)) & 63U];
  return name;
}

}  // namespace haypile::server
