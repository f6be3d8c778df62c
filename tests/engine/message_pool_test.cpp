#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "engine/message_pool.hpp"

using haypile::engine::MessagePool;

TEST_CASE("what was given back is taken up by the next of about its size") {
  MessagePool pool;
  void* const small = pool.take(65);
  void* const large = pool.take(129);
  pool.give(small, 65);
  pool.give(large, 129);
  CHECK(pool.kept_bytes() == (MessagePool::keeps ? 128 + 192 : 0));
  void* const again = pool.take(128);
  if (MessagePool::keeps) CHECK(again == small);
  CHECK(pool.kept_bytes() == (MessagePool::keeps ? 192 : 0));
  pool.give(again, 128);
}

TEST_CASE("all of what was asked for can be written to, whatever was there before") {
  MessagePool pool;
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> taken;
    for (std::size_t size = 1; size <= MessagePool::pooled_size_max + 70; ++size) {
      taken.push_back(pool.take(size));
      std::memset(taken.back(), static_cast<int>(size % 251), size);
    }
    bool intact = true;
    for (std::size_t size = 1; size <= taken.size(); ++size) {
      const auto* bytes = static_cast<const unsigned char*>(taken[size - 1]);
      for (std::size_t i = 0; i < size; ++i)
        intact = intact && bytes[i] == size % 251;
      pool.give(taken[size - 1], size);
    }
    CHECK(intact);
  }
}

TEST_CASE("large ones are not kept, and of small ones only so many") {
  MessagePool pool;
  const std::size_t large = MessagePool::pooled_size_max + 1;
  pool.give(pool.take(large), large);
  CHECK(pool.kept_bytes() == 0);
  std::vector<void*> taken;
  for (std::size_t bytes = 0; bytes < 2 * MessagePool::kept_max_bytes; bytes += 1024)
    taken.push_back(pool.take(1024));
  for (void* memory : taken)
    pool.give(memory, 1024);
  CHECK(pool.kept_bytes() == (MessagePool::keeps ? MessagePool::kept_max_bytes : 0));
}
