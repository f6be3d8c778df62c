// HAYPILE_SEEDS is the number of seeds, HAYPILE_FROM the first one, HAYPILE_EVENTS the number of
// last events that are reported with a failure. ./dev simulate runs this.
#include "simulation/simulation.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace haypile;
using simulation::Outcome;

namespace {

// Sanitizers make the simulation slow.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr unsigned usual_seed_count = 1000;
constexpr unsigned script_count = 5;
#else
constexpr unsigned usual_seed_count = 20'000;
constexpr unsigned script_count = 100;
#endif
constexpr std::size_t failures_shown_max = 5;

unsigned number_from(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text ? static_cast<unsigned>(std::stoul(text)) : otherwise;
}

// Seeds do not depend on each other, so any number of threads can run them.
template <class Run>
std::vector<std::string> failures_of(unsigned first, unsigned count, Run run_one) {
  std::atomic<unsigned> next = 0;
  std::mutex mutex;
  std::vector<std::string> failures;
  const auto work = [&] {
    for (unsigned i = next++; i < count; i = next++) {
      const std::string failure = run_one(first + i);
      if (failure.empty()) continue;
      const std::lock_guard lock(mutex);
      failures.push_back(failure);
    }
  };
  std::thread other(work);
  work();
  other.join();
  return failures;
}

void report(const std::vector<std::string>& failures) {
  CHECK(failures.size() == 0);
  for (std::size_t i = 0; i < failures.size() && i < failures_shown_max; ++i)
    FAIL_CHECK(failures[i]);
}

std::string run_one(unsigned seed) {
  const Outcome outcome =
      simulation::run({.seed = seed, .events_max = number_from("HAYPILE_EVENTS", 30)});
  if (outcome.failure.empty()) return "";
  return outcome.failure + "\n" + outcome.events + "  again: ./dev simulate --seeds 1 --from " +
         std::to_string(seed);
}

// Runs the script once without a fault to count its calls, then once for each call, ending there.
std::string run_script(unsigned seed) {
  const Outcome whole = simulation::run({.seed = seed, .is_script = true});
  std::string where = "never";
  Outcome outcome = whole;
  for (std::uint64_t call = 1; outcome.failure.empty() && call <= whole.file_system_calls; ++call) {
    outcome = simulation::run({.seed = seed, .is_script = true, .power_loss_at_call = call});
    where = "at call " + std::to_string(call);
  }
  if (outcome.failure.empty()) return "";
  return outcome.failure + "\n" + outcome.events + "  script " + std::to_string(seed) +
         ", power loss " + where;
}

}  // namespace

TEST_CASE("whatever happens, what was confirmed is there") {
  const unsigned count = number_from("HAYPILE_SEEDS", usual_seed_count);
  report(failures_of(number_from("HAYPILE_FROM", 1), count, run_one));
}

TEST_CASE("scripts that end at each of their calls to the file system") {
  report(failures_of(1, script_count, run_script));
}

TEST_CASE("a seed is always the same run") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CHECK(simulation::run({.seed = seed}).hash == simulation::run({.seed = seed}).hash);
  }
  CHECK(simulation::run({.seed = 1}).hash != simulation::run({.seed = 2}).hash);
}
