// A walk over unacked messages, in steps.
#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/queue.hpp"
#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::TaggedMessage;
using engine::Unacked;
using engine::UnackedMessage;

namespace {

using Places = std::vector<std::uint64_t>;

// Entries without messages; each is identified by its place.
struct WalkFixture : test::EngineFixture {
  void add(std::uint64_t place) { unacked.add({.place = place}, queue, nullptr); }
  // Visits the next `count` entries.
  Places walk(std::size_t count) {
    Places places;
    const std::uint64_t tag = unacked.walk_on([&](const UnackedMessage& message) {
      if (places.size() == count) return false;
      places.push_back(message.entry.place);
      return true;
    });
    unacked.go_to(tag);
    return places;
  }

  engine::Queue& queue = declare("q");
  Unacked unacked;
};

}  // namespace

TEST_CASE("a walk comes to each of them once, also to those that are added meanwhile") {
  WalkFixture fixture;
  for (std::uint64_t place = 1; place <= 5; ++place)
    fixture.add(place);
  CHECK(fixture.walk(2) == Places{1, 2});
  UnackedMessage taken;
  CHECK(fixture.unacked.take(4, taken));
  fixture.add(6);
  CHECK(fixture.walk(9) == Places{3, 5, 6});
  CHECK(fixture.walk(9).empty());
  fixture.add(7);
  CHECK(fixture.walk(9) == Places{7});
  fixture.unacked.begin_walk();
  CHECK(fixture.walk(9) == Places{1, 2, 3, 5, 6, 7});
}

TEST_CASE("a walk comes to what is unacked again, and to those that were left far behind") {
  WalkFixture fixture;
  fixture.add(1);
  for (std::uint64_t place = 2; place <= 5000; ++place) {
    fixture.add(place);
    UnackedMessage taken;
    if (place < 4990) CHECK(fixture.unacked.take(place, taken));
  }
  CHECK(fixture.walk(3) == Places{1, 4990, 4991});
  std::vector<TaggedMessage> taken = fixture.unacked.take_until(4990);
  CHECK(taken.size() == 2);
  fixture.unacked.put_back(std::move(taken.back()));
  CHECK(fixture.walk(2) == Places{4990, 4991});
}

TEST_CASE("a part that is split off goes on with the walk where it was") {
  WalkFixture fixture;
  for (std::uint64_t place = 1; place <= 6; ++place)
    fixture.add(place);
  CHECK(fixture.walk(2) == Places{1, 2});
  for (const std::uint64_t last : {4, 6}) {
    Unacked part = fixture.unacked.split(last);
    Places places;
    part.walk_on([&](const UnackedMessage& message) {
      places.push_back(message.entry.place);
      return true;
    });
    CHECK(places == (last == 4 ? Places{3, 4} : Places{5, 6}));
  }
  fixture.add(7);
  CHECK(fixture.walk(9) == Places{7});
}
