// Counts of durations with an error of at most 1.6 %, in a fixed amount of memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace haypile::bench::load {

// Counts values and estimates their quantiles.
class Histogram {
 public:
  void add(std::uint64_t value) {
    ++counts_[slot_of(value)];
    ++count_;
    max_ = std::max(max_, value);
  }
  void add(const Histogram& other) {
    for (std::size_t slot = 0; slot < counts_.size(); ++slot)
      counts_[slot] += other.counts_[slot];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }
  // The value that a share of the counted values does not exceed; 0 if there are none.
  std::uint64_t quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
      seen += counts_[slot];
      if (seen != 0 && seen >= wanted) return std::min(end_of(slot), max_);
    }
    return max_;
  }

 private:
  // Values up to 64 have one slot each; each doubling after that has 64 slots.
  static constexpr unsigned bits = 6;
  static constexpr std::size_t slots_each = std::size_t{1} << bits;

  static std::size_t slot_of(std::uint64_t value) {
    if (value < slots_each) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
    return (shift + 1) * slots_each + (value >> shift) - slots_each;
  }
  static std::uint64_t end_of(std::size_t slot) {
    if (slot < slots_each) return slot;
    const std::size_t shift = slot / slots_each - 1;
    return ((slot % slots_each + slots_each + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - bits + 1) * slots_each> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace haypile::bench::load
