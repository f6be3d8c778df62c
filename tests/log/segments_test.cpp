// How much queues hold of each segment.
#include <doctest/doctest.h>

#include "log/segments.hpp"

using namespace haypile;
using log::Segments;

namespace {
constexpr std::uint64_t size = 4096;

Segments three() {
  Segments segments;
  segments.restore(size, 5, {{.live_count = 2, .pile_bytes = 100}, {}, {}});
  return segments;
}
}  // namespace

TEST_CASE("a segment is unused when no queue holds a message of it") {
  Segments segments = three();
  CHECK(segments.first() == 5);
  CHECK(segments.last() == 7);
  CHECK(segments.last_begin() == 7 * size);
  CHECK(segments.unused_count() == 0);
  CHECK(segments.pile_bytes() == 100);
  segments.release(5 * size + 64);
  CHECK_FALSE(segments.is_first_unused());
  CHECK(segments.pile_bytes() == 100);
  segments.release(5 * size + 64);
  CHECK(segments.is_first_unused());
  CHECK(segments.unused_count() == 2);
  CHECK(segments.pile_bytes() == 0);
  CHECK(segments.give_up_first() == 5);
  CHECK(segments.first() == 6);
  CHECK(segments.broken_invariant() == nullptr);
}

TEST_CASE("a message counts for the segment in which it begins, once for each queue") {
  Segments segments = three();
  segments.add();
  CHECK(segments.last_begin() == 8 * size);
  segments.add_message(3, 40);
  CHECK(segments.live_count() == 5);
  CHECK(segments.pile_bytes() == 140);
  for (int i = 0; i < 3; ++i)
    segments.release(8 * size + 100);
  CHECK(segments.live_count() == 2);
  CHECK(segments.pile_bytes() == 100);
}

TEST_CASE("what moves keeps its segment until the move has ended") {
  Segments segments = three();
  segments.note_moved(5 * size + 64);
  segments.note_moved(5 * size + 64);
  CHECK_FALSE(segments.is_first_unused());
  segments.release_moved();
  CHECK(segments.is_first_unused());
  segments.release_moved();
  CHECK(segments.broken_invariant() == nullptr);
}
