// Reports allocations as a figure of a benchmark.
#pragma once

#include <cstdint>

#include <benchmark/benchmark.h>

#include "micro/allocations.hpp"

namespace haypile::bench {

// Counts the allocations from here to the end of the scope, for each of `items` items of an
// iteration.
class CountAllocations {
 public:
  explicit CountAllocations(benchmark::State& state, std::uint64_t items = 1)
      : state_(state), items_(items), before_(allocations_of_this_thread()) {}
  ~CountAllocations() {
    const auto count = static_cast<double>(allocations_of_this_thread() - before_);
    const auto items = static_cast<double>(state_.iterations()) * static_cast<double>(items_);
    state_.counters["allocations"] =
        benchmark::Counter(count / items, benchmark::Counter::kAvgThreads);
  }
  CountAllocations(const CountAllocations&) = delete;
  CountAllocations& operator=(const CountAllocations&) = delete;

 private:
  benchmark::State& state_;
  const std::uint64_t items_;
  const std::uint64_t before_;
};

}  // namespace haypile::bench
