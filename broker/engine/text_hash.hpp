// Hashes of texts that clients choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace haypile::engine {

// Hashes texts with a secret. Clients choose the names of queues and exchanges, routing keys and
// headers. If they could compute the hashes they could choose texts that all have the same slot in
// a table, and each look-up would take as long as there are entries. The secret is the seed, a
// random number that the engine's owner chooses. The same seed gives the same hashes, for the
// simulation.
//
// Words of the text, mixed with the secret, are multiplied to 128 bits whose halves are combined by
// xor, as in the runtime of Go where it has no instructions for AES.
class TextHash {
 public:
  using is_transparent = void;

  explicit TextHash(std::uint64_t seed = 0)
      : first_(scattered(seed)), second_(scattered(first_)), third_(scattered(second_)) {}

  std::size_t operator()(std::string_view text) const {
    const char* at = text.data();
    std::size_t left = text.size();
    std::uint64_t hash = first_;
    for (; left > 16; left -= 16, at += 16)
      hash = folded(read<std::uint64_t>(at) ^ second_, read<std::uint64_t>(at + 8) ^ hash);
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    if (left >= 8) {
      low = read<std::uint64_t>(at);
      high = read<std::uint64_t>(at + left - 8);
    } else if (left >= 4) {
      low = read<std::uint32_t>(at);
      high = read<std::uint32_t>(at + left - 4);
    } else if (left > 0) {
      low = read<std::uint8_t>(at) | std::uint64_t{read<std::uint8_t>(at + left / 2)} << 8 |
            std::uint64_t{read<std::uint8_t>(at + left - 1)} << 16;
    }
    return folded(third_ ^ text.size(), folded(low ^ second_, high ^ hash));
  }

  // Hashes two numbers, which may be hashes or numbers that clients choose.
  std::size_t operator()(std::uint64_t a, std::uint64_t b) const {
    return folded(third_, folded(a ^ second_, b ^ first_));
  }

 private:
  __extension__ typedef unsigned __int128 Product;

  static std::uint64_t folded(std::uint64_t a, std::uint64_t b) {
    const Product product = static_cast<Product>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  template <class T>
  static T read(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  // A step of SplitMix64: each bit of the seed changes about half of the bits of the result.
  static std::uint64_t scattered(std::uint64_t seed) {
    seed += 0x9E37'79B9'7F4A'7C15;
    seed = (seed ^ seed >> 30) * 0xBF58'476D'1CE4'E5B9;
    seed = (seed ^ seed >> 27) * 0x94D0'49BB'1331'11EB;
    return seed ^ seed >> 31;
  }

  std::uint64_t first_;
  std::uint64_t second_;
  std::uint64_t third_;
};

// A table by text that can be searched with views.
template <class T>
using StringMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

}  // namespace haypile::engine
