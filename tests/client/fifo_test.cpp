#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <random>

#include "client/core/fifo.hpp"

using haypile::Fifo;

TEST_CASE("what goes in first comes out first, however it fills and empties") {
  std::mt19937 random(1);
  Fifo<int> fifo;
  std::deque<int> same;
  bool is_equal = true;
  int next = 0;
  for (int step = 0; step < 20'000; ++step) {
    const bool fills = step / 500 % 3 != 2;
    if (same.empty() || (random() % 4 == 0 ? !fills : fills)) {
      is_equal = is_equal && fifo.extend() == 0;
      fifo[fifo.size() - 1] = next;
      same.push_back(next++);
    } else {
      if (random() % 2 == 0) {
        is_equal = is_equal && fifo.pop() == same.front();
      } else {
        fifo.drop();
      }
      same.pop_front();
    }
    is_equal = is_equal && fifo.size() == same.size() && fifo.empty() == same.empty();
    if (same.empty()) continue;
    const std::size_t any = random() % same.size();
    is_equal = is_equal && fifo[any] == same[any];
  }
  CHECK(is_equal);
  CHECK(next > 5000);
}

TEST_CASE("what a popped element held is let go") {
  Fifo<std::shared_ptr<int>> fifo;
  const auto value = std::make_shared<int>(1);
  for (int i = 0; i < 100; ++i)
    fifo.push(std::shared_ptr<int>(value));
  CHECK(value.use_count() == 101);
  for (int i = 0; i < 40; ++i)
    CHECK(*fifo.pop() == 1);
  fifo.drop();
  CHECK(value.use_count() == 60);
}
