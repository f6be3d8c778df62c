// Conditions that must hold at all times. The simulation, the fuzzers and the tests check them.
#pragma once

#include <stdexcept>
#include <string>

namespace haypile::engine {

inline void expect_invariant(bool holds, const char* what) {
  if (!holds) throw std::logic_error(std::string("this does not hold: ") + what);
}

}  // namespace haypile::engine
