// The bugs that are planted in the broker, one at a time, to see that the simulation finds them. A
// build has them only with the option HAYPILE_CANARIES; ./dev canaries makes one and runs it.
#pragma once

#include <span>

namespace haypile::simulation {

struct Canary {
  const char* name;     // as in HAYPILE_CANARY(name)
  const char* planted;  // what the broker does wrong
};

std::span<const Canary> canaries();

}  // namespace haypile::simulation
