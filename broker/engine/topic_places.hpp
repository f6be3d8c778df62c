// Sets of places in a routing key.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace haypile::engine {

// A key is a short string, and all of its bytes may be dots.
inline constexpr std::size_t topic_key_size_max = 255;
inline constexpr std::size_t topic_key_blocks_max = (topic_key_size_max + 1) / 64 + 1;

// A set of places in a key. Place i is before word i, counted from 0, and the last place is behind
// the last word. A set has room for 64 times `block_count` places; a smaller block_count saves time
// for short keys.
template <std::size_t block_count>
class TopicPlaces {
 public:
  using Blocks = std::array<std::uint64_t, topic_key_blocks_max>;

  static constexpr std::size_t word_count_max = 64 * block_count - 1;

  // The places from `first` to `last`.
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
  // The first place. The set must not be empty.
  std::size_t first() const {
    std::size_t i = 0;
    while (blocks_[i] == 0)
      ++i;
    return 64 * i + static_cast<std::size_t>(std::countr_zero(blocks_[i]));
  }
  // Moves all places over one word. `words` are the places before that word in the key; a place
  // that is not among them is dropped.
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
