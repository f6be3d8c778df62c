#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "engine/text_hash.hpp"

using namespace haypile;
using engine::TextHash;

TEST_CASE("the same seed gives the same hashes, another one others") {
  for (const std::string text : {"", "a", "abc", "four", "12345678", "123456789012345678901234"}) {
    CHECK(TextHash(7)(text) == TextHash(7)(text));
    CHECK(TextHash(7)(text) != TextHash(8)(text));
  }
  CHECK(TextHash(7)(1, 2) == TextHash(7)(1, 2));
  CHECK(TextHash(7)(1, 2) != TextHash(7)(2, 1));
  CHECK(TextHash(7)(1, 2) != TextHash(8)(1, 2));
}

TEST_CASE("every byte counts, wherever it stands, and so does the length") {
  for (std::size_t size = 0; size <= 70; ++size) {
    std::set<std::size_t> hashes{TextHash(3)(std::string(size, 'x'))};
    for (std::size_t i = 0; i < size; ++i) {
      std::string text(size, 'x');
      text[i] = 'y';
      hashes.insert(TextHash(3)(text));
    }
    CHECK(hashes.size() == size + 1);
  }
  std::set<std::size_t> of_zeroes;
  for (std::size_t size = 0; size <= 70; ++size)
    of_zeroes.insert(TextHash(3)(std::string(size, '\0')));
  CHECK(of_zeroes.size() == 71);
}

// Clients often use numbered names. Their hashes must be even in the lowest bits, which choose the
// place in a table.
TEST_CASE("names that differ little spread over a table") {
  constexpr std::size_t places = 1024;
  for (const std::uint64_t seed : {0, 1, 2}) {
    std::vector<int> counts(places);
    for (int i = 0; i < 100 * static_cast<int>(places); ++i)
      ++counts[TextHash(seed)("queue." + std::to_string(i)) % places];
    for (const int count : counts)
      CHECK((count > 40 && count < 200));
  }
}
