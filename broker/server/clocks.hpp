// Reads the machine's clocks.
#pragma once

#include "vhost/clock.hpp"

namespace haypile::server {

// CLOCK_BOOTTIME, in milliseconds.
engine::TimeMs read_boot_clock();
vhost::ClockReading read_clocks();

}  // namespace haypile::server
