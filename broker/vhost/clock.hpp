// The time by which messages and queues expire.
#pragma once

#include <cstdint>

#include "engine/definitions.hpp"

namespace haypile::vhost {

using engine::TimeMs;

// What the machine's clocks say at one moment, in milliseconds.
struct ClockReading {
  // Time since the machine was started (CLOCK_BOOTTIME). It runs while the machine sleeps, and
  // nobody can set it.
  TimeMs boot = 0;
  // Time since 1970-01-01 UTC. Somebody may set it, forwards or backwards, at any time.
  TimeMs wall = 0;
};

// Engine time: milliseconds that never jump, whatever is done to the wall clock. It begins with the
// wall clock's time and then follows the boot clock. The wall clock is engine time plus an offset,
// which changes when somebody sets the wall clock. A log stores the offset, so that engine time
// continues after a restart; the time between two runs is measured by the wall clock.
class Clock {
 public:
  // Begins a run. `offset` is the one that was stored last, `seen` the latest engine time in the
  // recovered data: engine time continues from there if the wall clock was set back meanwhile.
  void start(const ClockReading& now, std::int64_t offset = 0, TimeMs seen = 0);

  TimeMs time(const ClockReading& now) const { return time(now.boot); }
  TimeMs time(TimeMs boot) const { return engine_ + (boot > boot_ ? boot - boot_ : 0); }
  // The time of the boot clock at that engine time.
  TimeMs boot_time(TimeMs time) const { return time > engine_ ? boot_ + (time - engine_) : boot_; }
  // The wall clock minus engine time.
  std::int64_t offset() const { return offset_; }
  // Notices when the wall clock was set. Returns true if the offset is a new one, which has to be
  // stored.
  bool follow(const ClockReading& now);

  // A smaller change of the wall clock is only a correction.
  static constexpr std::int64_t step_min_ms = 1000;

 private:
  std::int64_t offset_at(const ClockReading& now) const {
    return static_cast<std::int64_t>(now.wall) - static_cast<std::int64_t>(time(now));
  }

  TimeMs boot_ = 0;    // at start()
  TimeMs engine_ = 0;  // engine time at start()
  std::int64_t offset_ = 0;
};

}  // namespace haypile::vhost
