#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <random>

#include "engine/ring.hpp"

using haypile::engine::Ring;

TEST_CASE("a ring is a queue, however it fills and empties") {
  std::mt19937 random(1);
  Ring<int> ring;
  std::deque<int> same;
  int next = 0;
  bool equal = true;
  for (int round = 0; round < 40; ++round) {
    const bool fills = round % 3 != 2;
    for (int i = 0; i < 500; ++i) {
      if (random() % 4 == 0 ? !fills : fills) {
        ring.push_back(int{next});
        same.push_back(next++);
      } else if (!same.empty()) {
        ring.pop_front();
        same.pop_front();
      }
      equal = equal && ring.size() == same.size() && ring.empty() == same.empty();
      if (!equal || same.empty()) continue;
      const std::size_t any = random() % same.size();
      equal = ring.front() == same.front() && ring[any] == same[any];
    }
  }
  CHECK(equal);
  CHECK(next > 5000);
}

TEST_CASE("what has been popped is let go, and what moves stays") {
  Ring<std::shared_ptr<int>> ring;
  const auto first = std::make_shared<int>(1);
  ring.push_back(std::shared_ptr<int>(first));
  for (int i = 0; i < 100; ++i)
    ring.push_back(std::make_shared<int>(i));
  CHECK(first.use_count() == 2);
  ring.pop_front();
  CHECK(first.use_count() == 1);
  CHECK(*ring.front() == 0);
  CHECK(*ring[99] == 99);
}

TEST_CASE("after a burst the memory of a ring goes back") {
  Ring<int> ring;
  CHECK(ring.capacity() == 0);
  for (int i = 0; i < 100'000; ++i)
    ring.push_back(int{i});
  CHECK(ring.capacity() < 100'000 + Ring<int>::block_size);
  while (ring.size() > 5000)
    ring.pop_front();
  // A quarter more than what is there, and some blocks.
  CHECK(ring.capacity() <= 6250 + 4 * Ring<int>::block_size);
  CHECK(ring.front() == 95'000);
  while (!ring.empty())
    ring.pop_front();
  CHECK(ring.capacity() <= 2 * Ring<int>::block_size);
}

TEST_CASE("an element stays where it is until it is popped") {
  Ring<int> ring;
  for (int i = 0; i < 100; ++i)
    ring.push_back(int{i});
  for (int i = 0; i < 50; ++i)
    ring.pop_front();
  const int* const last = &ring[49];
  for (int i = 0; i < 100'000; ++i)
    ring.push_back(int{i});
  for (int i = 0; i < 49; ++i)
    ring.pop_front();
  CHECK(&ring.front() == last);
  CHECK(*last == 99);
}
