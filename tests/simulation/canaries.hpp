// The bugs that are planted, one at a time, to see that the simulation, or a fuzz target, finds
// them. A build has them only with the option HAYPILE_CANARIES; ./dev canaries makes one and runs
// it.
#pragma once

#include <span>

namespace haypile::simulation {

struct Canary {
  const char* name;     // as in HAYPILE_CANARY(name)
  const char* planted;  // what the broker does wrong
  // The fuzz target that has to find it, with its corpus; null: the simulation has to.
  const char* fuzz_target = nullptr;
};

std::span<const Canary> canaries();

}  // namespace haypile::simulation
