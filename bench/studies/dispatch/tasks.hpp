// Tasks of uneven length, and how soon a number of workers could finish them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace haypile::bench::dispatch {

enum class Lengths : std::uint8_t {
  uniform,       // 0.5 to 1.5 times the mean
  odd_even,      // the tutorial's: 1.9 and 0.1 times the mean in turn
  heavy_tailed,  // bounded Pareto, exponent 1.5: half are below 0.6 of the mean, few reach 19 times
};

std::string_view name_of(Lengths lengths);

// Task lengths in nanoseconds, in the order in which the tasks are published. For every
// distribution and seed their sum is count * mean_ns.
std::vector<std::uint64_t> make_tasks(Lengths lengths, std::size_t count, std::uint64_t mean_ns,
                                      std::uint64_t seed);

// A lower bound: no schedule can be shorter than the work divided by the workers, or than the
// longest task.
double best_ns(const std::vector<std::uint64_t>& tasks, std::size_t worker_count);

// The time if each task goes, in order, to the worker that is free first. A broker that does not
// know the lengths cannot do better.
double greedy_ns(const std::vector<std::uint64_t>& tasks, std::size_t worker_count);

}  // namespace haypile::bench::dispatch
