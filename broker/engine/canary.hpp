#pragma once

// Bugs that are planted to see whether the simulation finds them. Outside the build that ./dev
// canaries makes, HAYPILE_CANARY(name) is false. tests/simulation/canaries.cpp says what each one
// breaks.
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
