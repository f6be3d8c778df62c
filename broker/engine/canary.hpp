#pragma once

// Bugs that are planted to see whether the simulation finds them; this header exists for nothing
// else. Outside of the build that ./dev canaries makes, HAYPILE_CANARY(name) is false. What each
// one breaks is said in tests/simulation/canaries.cpp.
#ifdef HAYPILE_CANARIES

#include <string_view>

namespace haypile {

// Set once, before any broker runs.
inline std::string_view active_canary;

}  // namespace haypile

#define HAYPILE_CANARY(name) (::haypile::active_canary == #name)

#else

#define HAYPILE_CANARY(name) false

#endif
