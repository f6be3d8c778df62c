#include "vhost/clock.hpp"

#include <doctest/doctest.h>

using haypile::vhost::Clock;
using haypile::vhost::ClockReading;

namespace {
constexpr std::int64_t hour = 3'600'000;
constexpr haypile::engine::TimeMs wall = 1'790'000'000'000;
constexpr ClockReading begin{.boot = 5000, .wall = wall};

// A reading that is later by `duration` on both clocks, with `step` added to the wall clock.
ClockReading after(const ClockReading& reading, std::int64_t duration, std::int64_t step = 0) {
  const auto add = [](haypile::engine::TimeMs time, std::int64_t by) {
    return static_cast<haypile::engine::TimeMs>(static_cast<std::int64_t>(time) + by);
  };
  return {.boot = add(reading.boot, duration), .wall = add(reading.wall, duration + step)};
}
}  // namespace

TEST_CASE("engine time begins as the wall clock's, and goes on by the boot clock") {
  Clock clock;
  clock.start(begin);
  CHECK(clock.time(begin) == wall);
  CHECK(clock.time(after(begin, hour)) == wall + hour);
  CHECK(clock.offset() == 0);
  CHECK(clock.boot_time(wall + 700) == begin.boot + 700);
  CHECK(clock.boot_time(wall - 1) == begin.boot);
}

TEST_CASE("whatever is done to the wall clock, engine time does not jump") {
  for (const std::int64_t step : {8 * hour, -8 * hour, std::int64_t{1000}, std::int64_t{-1000}}) {
    Clock clock;
    clock.start(begin);
    const ClockReading set = after(begin, 60'000, step);
    CHECK(clock.follow(set));
    CHECK(clock.offset() == step);
    CHECK(clock.time(set) == wall + 60'000);
    CHECK_FALSE(clock.follow(after(set, hour)));
    CHECK(clock.time(after(set, hour)) == wall + 60'000 + hour);
  }
}

TEST_CASE("a wall clock that is only corrected is not followed") {
  Clock clock;
  clock.start(begin);
  CHECK_FALSE(clock.follow(after(begin, 1000, 999)));
  CHECK_FALSE(clock.follow(after(begin, 1000, -999)));
  CHECK(clock.offset() == 0);
  // Many corrections together are a step.
  CHECK(clock.follow(after(begin, 2000, 1001)));
  CHECK(clock.offset() == 1001);
}

// A machine without a clock battery starts in the past, and gets the time later.
TEST_CASE("after a restart engine time goes on where it was") {
  Clock first;
  first.start(begin);
  const ClockReading set = after(begin, 60'000, 8 * hour);
  first.follow(set);
  const ClockReading end = after(set, hour);

  Clock second;  // ten minutes later, after a restart of the machine
  const ClockReading again{.boot = 1000, .wall = end.wall + 600'000};
  second.start(again, first.offset(), first.time(end));
  CHECK(second.time(again) == first.time(end) + 600'000);
  CHECK(second.offset() == first.offset());
  CHECK_FALSE(second.follow(after(again, hour)));
}

TEST_CASE("engine time never begins before what was kept") {
  Clock clock;  // the machine has lost its time
  const ClockReading lost{.boot = 1000, .wall = 3 * static_cast<std::uint64_t>(hour)};
  clock.start(lost, 2 * hour, wall);
  CHECK(clock.time(lost) == wall);
  CHECK(clock.offset() == 3 * hour - static_cast<std::int64_t>(wall));
  // When the clock is corrected, the offset is what it was, except for the time that nobody has
  // counted.
  CHECK(clock.follow({.boot = 2000, .wall = wall + 2 * hour + 1000}));
  CHECK(clock.offset() == 2 * hour);

  Clock beyond;  // the offset is larger than the wall clock's time
  beyond.start(lost, 4 * hour, 0);
  CHECK(beyond.time(lost) == 0);
  CHECK(beyond.offset() == 3 * hour);
}

TEST_CASE("a boot clock that goes back is passed over") {
  Clock clock;
  clock.start(begin);
  CHECK(clock.time(begin.boot - 1) == wall);
}
