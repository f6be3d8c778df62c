// The time by which messages and queues expire.
#pragma once

#include <cstdint>

#include "engine/definitions.hpp"

namespace haypile::vhost {

using engine::TimeMs;

// What the machine's clocks say at one moment, in milliseconds.
struct ClockReading {
  // Since the machine was started; goes on while it sleeps and is never set (CLOCK_BOOTTIME).
  TimeMs boot = 0;
  // Since 1970-01-01 UTC; may be set, forwards and backwards, whenever somebody wants to.
  TimeMs wall = 0;
};

// Engine time: milliseconds that never jump, whatever is done to the wall clock. It begins as the
// wall clock's time and goes on by the boot clock. The wall clock is engine time plus an offset,
// which changes when somebody sets the wall clock. A log remembers the offset, so that a restart
// goes on with engine time, and the time between two runs counts by the wall clock.
class Clock {
 public:
  // A run begins. `offset` is the one that was remembered last, `seen` the latest engine time in
  // what was kept: engine time goes on from there when the wall clock has gone back meanwhile.
  void start(const ClockReading& now, std::int64_t offset = 0, TimeMs seen = 0);

  TimeMs time(const ClockReading& now) const { return time(now.boot); }
  TimeMs time(TimeMs boot) const { return engine_ + (boot > boot_ ? boot - boot_ : 0); }
  // When the boot clock will say so.
  TimeMs boot_time(TimeMs time) const { return time > engine_ ? boot_ + (time - engine_) : boot_; }
  // What the wall clock says beyond engine time.
  std::int64_t offset() const { return offset_; }
  // Notices when the wall clock has been set. True: the offset is a new one, to be remembered.
  bool follow(const ClockReading& now);

  // By less the wall clock is no more than corrected.
  static constexpr std::int64_t step_min_ms = 1000;

 private:
  std::int64_t offset_at(const ClockReading& now) const {
    return static_cast<std::int64_t>(now.wall) - static_cast<std::int64_t>(time(now));
  }

  TimeMs boot_ = 0;    // at the start
  TimeMs engine_ = 0;  // likewise
  std::int64_t offset_ = 0;
};

}  // namespace haypile::vhost
