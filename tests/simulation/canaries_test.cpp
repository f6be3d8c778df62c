// HAYPILE_CANARY is the canary to try; all of them if it is not set. ./dev canaries runs this.
#ifdef HAYPILE_CANARIES

#include <doctest/doctest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "engine/canary.hpp"
#include "simulation/canaries.hpp"
#include "simulation/simulation.hpp"

using namespace haypile;
using simulation::Canary;

namespace {

constexpr unsigned seeds_max = 10'000;

struct Catch {
  std::string check;  // empty: never caught
  unsigned seed = 0;
};

// Finds the violation with the lowest seed, so that every run reports the same one.
Catch first_catch() {
  std::atomic<unsigned> next = 1;
  std::atomic<unsigned> last = seeds_max;
  std::mutex mutex;
  Catch first;
  const auto work = [&] {
    for (unsigned seed = next++; seed <= last; seed = next++) {
      const std::string failure = simulation::run_seed(seed);
      if (failure.empty()) continue;
      const std::lock_guard lock(mutex);
      if (seed > last) return;
      last = seed;
      first = {failure.substr(0, failure.find(':')), seed};
    }
  };
  std::thread other(work);
  work();
  other.join();
  return first;
}

// Runs the fuzz target over its corpus; it ends with the first input that violates a check.
Catch catch_by_fuzz_target(const Canary& canary) {
  const std::string command = "HAYPILE_CANARY=" + std::string(canary.name) + " " +
                              HAYPILE_BINARY_DIR "/fuzz_" + canary.fuzz_target + " " +
                              HAYPILE_SOURCE_DIR "/tests/fuzz/corpus/" + canary.fuzz_target +
                              " >/dev/null 2>&1";
  if (std::system(command.c_str()) == 0) return {};
  return {"fuzz " + std::string(canary.fuzz_target)};
}

Catch catch_by_simulation(const Canary& canary) {
  active_canary = canary.name;
  Catch found = first_catch();
  active_canary = {};
  return found;
}

void try_canary(const Canary& canary) {
  const Catch found =
      canary.fuzz_target ? catch_by_fuzz_target(canary) : catch_by_simulation(canary);
  std::string text = found.check.empty() ? "NOT CAUGHT" : found.check;
  if (found.seed != 0) text += ", seed " + std::to_string(found.seed);
  std::printf("%-24s %-36s %s\n", canary.name, text.c_str(), canary.planted);
  std::fflush(stdout);
  CHECK_MESSAGE(!found.check.empty(), canary.name);
}

}  // namespace

TEST_CASE("every planted bug is found") {
  const char* only = std::getenv("HAYPILE_CANARY");
  for (const Canary& canary : simulation::canaries()) {
    if (!only || std::string_view(only) == canary.name) try_canary(canary);
  }
}

#endif
