// How long to wait before something is tried again.
#pragma once

#include <algorithm>
#include <chrono>

namespace haypile::cli {

// A pause that is twice as long after each failure.
struct Backoff {
  std::chrono::milliseconds first;
  std::chrono::milliseconds most;

  // The pause after so many failures in a row, at least one.
  std::chrono::milliseconds pause(unsigned failure_count) const {
    std::chrono::milliseconds pause = std::min(first, most);
    for (unsigned i = 1; i < failure_count && pause.count() != 0 && pause < most; ++i)
      pause = std::min(2 * pause, most);
    return pause;
  }
};

// Between half of the pause and all of it, so that not all workers come at the same time. `random`
// is from 0 to 1.
inline std::chrono::milliseconds spread(std::chrono::milliseconds pause, double random) {
  const auto half = static_cast<double>(pause.count()) / 2;
  return std::chrono::milliseconds(
      static_cast<std::chrono::milliseconds::rep>(half + half * random));
}

}  // namespace haypile::cli
