// The source of everything random in a simulation, so that all of it follows from the seed.
#pragma once

#include <cstddef>
#include <random>

namespace haypile::simulation {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  std::size_t below(std::size_t end) { return engine_() % end; }
  std::size_t between(std::size_t first, std::size_t last) {
    return first + below(last - first + 1);
  }
  bool one_in(std::size_t number) { return below(number) == 0; }
  template <class Container>
  const auto& any(const Container& all) {
    return all[below(std::size(all))];
  }
  std::mt19937& engine() { return engine_; }

 private:
  std::mt19937 engine_;
};

}  // namespace haypile::simulation
