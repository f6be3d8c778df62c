#include "engine/work.hpp"

#include <doctest/doctest.h>

namespace haypile::engine {

TEST_CASE("before the first turn nothing is limited") {
  WorkBudget work;
  work.begin_share();
  work.spend(10 * WorkBudget::units_per_turn);
  CHECK_FALSE(work.is_share_used_up());
}

TEST_CASE("who is alone has the whole turn, and no more") {
  WorkBudget work;
  work.begin_turn(0);
  work.begin_share();
  work.spend(WorkBudget::units_per_turn - 1);
  CHECK_FALSE(work.is_share_used_up());
  work.spend(1);
  CHECK(work.is_share_used_up());
}

TEST_CASE("those who have been stopped divide the turn, down to a least share") {
  WorkBudget work;
  work.begin_turn(3);
  work.begin_share();
  work.spend(WorkBudget::units_per_turn / 4);
  CHECK(work.is_share_used_up());
  work.begin_turn(1'000'000);
  work.begin_share();
  work.spend(WorkBudget::share_min - 1);
  CHECK_FALSE(work.is_share_used_up());
  work.spend(1);
  CHECK(work.is_share_used_up());
}

TEST_CASE("what one has done is not charged to the next") {
  WorkBudget work;
  work.begin_turn(0);
  work.begin_share();
  work.spend(5 * WorkBudget::units_per_turn);
  work.begin_share();
  CHECK_FALSE(work.is_share_used_up());
  work.spend_bytes(4096 * WorkBudget::units_per_turn);
  CHECK(work.is_share_used_up());
  CHECK(work.spent() == 6 * WorkBudget::units_per_turn);
}

}  // namespace haypile::engine
