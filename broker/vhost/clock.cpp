#include "vhost/clock.hpp"

#include <algorithm>

namespace haypile::vhost {

void Clock::start(const ClockReading& now, std::int64_t offset, TimeMs seen) {
  boot_ = now.boot;
  const std::int64_t engine = static_cast<std::int64_t>(now.wall) - offset;
  engine_ = std::max(seen, static_cast<TimeMs>(std::max<std::int64_t>(engine, 0)));
  // If engine time could not follow the wall clock, the offset is a new one.
  offset_ = engine_ == static_cast<TimeMs>(engine) ? offset : offset_at(now);
}

bool Clock::follow(const ClockReading& now) {
  const std::int64_t offset = offset_at(now);
  const std::int64_t step = offset - offset_;
  if (step > -step_min_ms && step < step_min_ms) return false;
  offset_ = offset;
  return true;
}

}  // namespace haypile::vhost
