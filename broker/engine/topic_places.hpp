// Places in a routing key, as a set.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace haypile::engine {

// A key is a short string, of which all bytes may be dots.
inline constexpr std::size_t topic_key_size_max = 255;
inline constexpr std::size_t topic_key_blocks_max = (topic_key_size_max + 1) / 64 + 1;

// Place i is before the i-th word, and one is behind the last. A set has room for 64 times
// `block_count` places; blocks that a short key does not need are not looked at.
template <std::size_t block_count>
class TopicPlaces {
 public:
  using Blocks = std::array<std::uint64_t, topic_key_blocks_max>;

  static constexpr std::size_t word_count_max = 64 * block_count - 1;

  // All from `first` to `last`.
  static TopicPlaces between(std::size_t first, std::size_t last) {
    TopicPlaces places;
    for (std::size_t i = 0; i < block_count; ++i) {
      const std::size_t start = 64 * i;
      if (first >= start + 64 || last < start) continue;
      const std::size_t low = first > start ? first - start : 0;
      const std::size_t high = last < start + 63 ? last - start : 63;
      places.blocks_[i] = (~std::uint64_t{0} << low) & (~std::uint64_t{0} >> (63 - high));
    }
    return places;
  }

  bool has(std::size_t place) const { return (blocks_[place / 64] >> place % 64 & 1) != 0; }
  bool is_empty() const {
    std::uint64_t any = 0;
    for (const std::uint64_t block : blocks_)
      any |= block;
    return any == 0;
  }
  // Not of an empty set.
  std::size_t first() const {
    std::size_t i = 0;
    while (blocks_[i] == 0)
      ++i;
    return 64 * i + static_cast<std::size_t>(std::countr_zero(blocks_[i]));
  }
  // Takes one word along: goes on behind those of `words` that are in the set.
  void take(const Blocks& words) {
    std::uint64_t carried = 0;
    for (std::size_t i = 0; i < block_count; ++i) {
      const std::uint64_t taken = blocks_[i] & words[i];
      blocks_[i] = taken << 1 | carried;
      carried = taken >> 63;
    }
  }

 private:
  std::array<std::uint64_t, block_count> blocks_{};
};

}  // namespace haypile::engine
