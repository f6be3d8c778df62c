// Planted bugs, one at a time, to see that the simulation or a fuzz target finds them. Only a build
// with the option HAYPILE_CANARIES has them; ./dev canaries makes such a build and runs it.
#pragma once

#include <span>

namespace haypile::simulation {

struct Canary {
  const char* name;     // the name in HAYPILE_CANARY(name)
  const char* planted;  // the broker's wrong behaviour
  // The fuzz target that has to find the bug, with its corpus; null: the simulation has to.
  const char* fuzz_target = nullptr;
};

std::span<const Canary> canaries();

}  // namespace haypile::simulation
