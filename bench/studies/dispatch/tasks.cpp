#include "studies/dispatch/tasks.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <queue>
#include <random>

namespace haypile::bench::dispatch {

namespace {

// The standard library's distributions differ between implementations, but the generators do not.
double uniform_share(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

double pareto(double share) {
  constexpr double exponent = 1.5;
  constexpr double longest = 50;  // a multiple of the shortest
  const double reach = 1 - std::pow(longest, -exponent);
  return std::pow(1 - share * reach, -1 / exponent);
}

double weight(Lengths lengths, std::size_t number, std::mt19937_64& random) {
  switch (lengths) {
    case Lengths::uniform:
      return 0.5 + uniform_share(random);
    case Lengths::odd_even:
      return number % 2 == 0 ? 1.9 : 0.1;  // counted from 0
    case Lengths::heavy_tailed:
      break;
  }
  return pareto(uniform_share(random));
}

}  // namespace

std::string_view name_of(Lengths lengths) {
  switch (lengths) {
    case Lengths::uniform:
      return "uniform";
    case Lengths::odd_even:
      return "odd_even";
    case Lengths::heavy_tailed:
      break;
  }
  return "heavy_tailed";
}

std::vector<std::uint64_t> make_tasks(Lengths lengths, std::size_t count, std::uint64_t mean_ns,
                                      std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> weights;
  weights.reserve(count);
  for (std::size_t number = 0; number < count; ++number)
    weights.push_back(weight(lengths, number, random));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double scale = static_cast<double>(count) * static_cast<double>(mean_ns) / sum;
  std::vector<std::uint64_t> tasks;
  tasks.reserve(weights.size());
  for (const double each : weights)
    tasks.push_back(static_cast<std::uint64_t>(std::llround(each * scale)));
  return tasks;
}

double best_ns(const std::vector<std::uint64_t>& tasks, std::size_t worker_count) {
  const auto sum =
      static_cast<double>(std::accumulate(tasks.begin(), tasks.end(), std::uint64_t{}));
  const auto longest = static_cast<double>(*std::ranges::max_element(tasks));
  return std::max(sum / static_cast<double>(worker_count), longest);
}

double greedy_ns(const std::vector<std::uint64_t>& tasks, std::size_t worker_count) {
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> free_at_ns;
  for (std::size_t worker = 0; worker < worker_count; ++worker)
    free_at_ns.push(0);
  std::uint64_t end_ns = 0;
  for (const std::uint64_t task : tasks) {
    const std::uint64_t task_end_ns = free_at_ns.top() + task;
    free_at_ns.pop();
    free_at_ns.push(task_end_ns);
    end_ns = std::max(end_ns, task_end_ns);
  }
  return static_cast<double>(end_ns);
}

}  // namespace haypile::bench::dispatch
