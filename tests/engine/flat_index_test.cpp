#include <doctest/doctest.h>

#include <random>
#include <unordered_map>
#include <vector>

#include "engine/flat_index.hpp"

using namespace haypile;
using engine::FlatIndex;

namespace {

FlatIndex::Id find(const FlatIndex& index, std::uint32_t hash, FlatIndex::Id wanted) {
  return index.find(hash, [&](FlatIndex::Id id) { return id == wanted; });
}

}  // namespace

TEST_CASE("an empty index finds nothing, before and after") {
  FlatIndex index;
  CHECK(find(index, 7, 1) == 0);
  index.insert(7, 1);
  CHECK(find(index, 7, 1) == 1);
  CHECK(find(index, 7, 2) == 0);
  CHECK(find(index, 8, 1) == 0);
  index.erase(7, 1);
  CHECK(find(index, 7, 1) == 0);
  CHECK(index.size() == 0);
}

TEST_CASE("only ids with that very hash are asked about") {
  FlatIndex index;
  index.insert(1, 1);
  index.insert(1 + 8, 2);  // the same place
  index.insert(1, 3);
  std::vector<FlatIndex::Id> asked;
  CHECK(index.find(1, [&](FlatIndex::Id id) {
    asked.push_back(id);
    return false;
  }) == 0);
  CHECK(asked == std::vector<FlatIndex::Id>{1, 3});
}

TEST_CASE("as a map does it, with few hashes and with many") {
  // With few hashes, many of them are at the end of the table, so probing continues at its
  // beginning.
  for (const std::uint32_t hash_mask : {0x3u, 0x8000'000Fu, 0xFFFF'FFFFu}) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
      std::mt19937 random(seed);
      FlatIndex index;
      std::unordered_map<FlatIndex::Id, std::uint32_t> hashes;
      for (unsigned round = 0; round < 2000; ++round) {
        const auto id = static_cast<FlatIndex::Id>(1 + random() % 200);
        const auto held = hashes.find(id);
        // First more entries are added than removed, then the reverse.
        const bool wanted = random() % 4 < (round / 500 % 2 == 0 ? 3u : 1u);
        if (held == hashes.end() && wanted) {
          const std::uint32_t hash = static_cast<std::uint32_t>(random()) & hash_mask;
          hashes.emplace(id, hash);
          index.insert(hash, id);
        } else if (held != hashes.end() && !wanted) {
          index.erase(held->second, id);
          CHECK(find(index, held->second, id) == 0);
          hashes.erase(held);
        }
        REQUIRE(index.size() == hashes.size());
        if (round % 50 != 0) continue;
        for (const auto& [each, hash] : hashes)
          REQUIRE(find(index, hash, each) == each);
      }
    }
  }
}

TEST_CASE("room is given back") {
  FlatIndex index;
  for (FlatIndex::Id id = 1; id <= 100'000; ++id)
    index.insert(id * 0x9E37'79B9u, id);
  CHECK(index.capacity() >= 200'000);
  for (FlatIndex::Id id = 1; id <= 100'000; ++id)
    index.erase(id * 0x9E37'79B9u, id);
  CHECK(index.capacity() <= 16);
}
