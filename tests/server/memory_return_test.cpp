#include "server/memory_return.hpp"

#include <doctest/doctest.h>

using haypile::server::Excess;
using haypile::server::MemoryReturn;

TEST_CASE("what could not be given back last time is not tried again and again") {
  constexpr std::size_t worth = Excess::worth_bytes;
  Excess excess;
  CHECK_FALSE(excess.is_worth_returning(worth, 0));
  CHECK(excess.is_worth_returning(worth + 1, 0));
  CHECK_FALSE(excess.is_worth_returning(100 * worth, 99 * worth));
  CHECK_FALSE(excess.is_worth_returning(0, 99 * worth));
  excess.note_rest(3 * worth, worth);
  CHECK_FALSE(excess.is_worth_returning(4 * worth, worth));
  CHECK(excess.is_worth_returning(4 * worth + 1, worth));
  excess.note_rest(2 * worth, worth);
  CHECK(excess.is_worth_returning(4 * worth, worth));
}

TEST_CASE("it is looked at once in an interval, and once more when all is quiet") {
  MemoryReturn memory_return;
  CHECK(memory_return.next_look() == haypile::engine::no_deadline);
  memory_return.look(1000, 0);
  CHECK(memory_return.next_look() == haypile::engine::no_deadline);
  memory_return.look(1001, 0);
  CHECK(memory_return.next_look() == 1000 + MemoryReturn::interval_ms);
  memory_return.look(1000 + MemoryReturn::interval_ms, 0);
  CHECK(memory_return.next_look() == haypile::engine::no_deadline);
}
