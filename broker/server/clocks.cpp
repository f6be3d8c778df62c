#include "server/clocks.hpp"

#include <ctime>

namespace haypile::server {

namespace {

engine::TimeMs read(::clockid_t clock) {
  ::timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<engine::TimeMs>(time.tv_sec) * 1000 +
         static_cast<engine::TimeMs>(time.tv_nsec) / 1'000'000;
}

}  // namespace

engine::TimeMs read_boot_clock() {
  return read(CLOCK_BOOTTIME);
}

vhost::ClockReading read_clocks() {
  return {.boot = read_boot_clock(), .wall = read(CLOCK_REALTIME)};
}

}  // namespace haypile::server
