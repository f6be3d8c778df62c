// What the fuzz targets have in common: reading choices from the input, cutting bytes into pieces,
// and reporting a failure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace haypile::fuzz {

// Ends the process if an invariant of the code under test does not hold; a fuzzer reports that.
inline void expect(bool holds, const char* complaint) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", complaint);
  std::abort();
}

// The bytes of an input, from the front; zeros after its end.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  // Reads a little-endian number of `size` bytes.
  std::uint64_t number(unsigned size) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i)
      value |= std::uint64_t{byte()} << (8 * i);
    return value;
  }
  std::size_t below(std::size_t bound) {
    return bound == 0 ? 0 : number(bound > 256 ? 2 : 1) % bound;
  }
  // Returns at most the bytes that are left.
  std::string_view bytes(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

// Numbers that follow from a seed and are the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  std::size_t below(std::size_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

// Cuts bytes into pieces whose sizes follow from a seed; seed 0 means one piece. Only few pieces of
// a long text are short, to limit the time.
class Pieces {
 public:
  Pieces(std::string_view bytes, std::uint8_t seed)
      : rest_(bytes), whole_(seed == 0), random_(seed) {}

  bool empty() const { return rest_.empty(); }
  std::string_view next() {
    const std::size_t size_max = std::size_t{2} << random_.below(12);
    const std::size_t size = whole_ ? rest_.size() : 1 + random_.below(size_max);
    const std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view rest_;
  bool whole_;
  Random random_;
};

}  // namespace haypile::fuzz
