#include <doctest/doctest.h>

#include <vector>

#include "client/core/unconfirmed.hpp"

using namespace haypile;
using Numbers = std::vector<std::uint64_t>;

namespace {

Numbers settle(Unconfirmed& unconfirmed, std::uint64_t number, bool multiple) {
  Numbers settled;
  unconfirmed.settle(number, multiple, [&](std::uint64_t one) { settled.push_back(one); });
  return settled;
}

}  // namespace

TEST_CASE("confirms settle one or many, in any order, each once") {
  Unconfirmed unconfirmed;
  for (std::uint64_t i = 1; i <= 10; ++i)
    CHECK(unconfirmed.add() == i);
  CHECK(settle(unconfirmed, 3, false) == Numbers{3});
  CHECK(unconfirmed.count() == 9);
  CHECK(settle(unconfirmed, 3, false).empty());
  CHECK(unconfirmed.count() == 9);
  CHECK(settle(unconfirmed, 5, true) == Numbers{1, 2, 4, 5});
  CHECK(unconfirmed.count() == 5);
  CHECK(settle(unconfirmed, 5, true).empty());
  CHECK(settle(unconfirmed, 7, false) == Numbers{7});
  CHECK(settle(unconfirmed, 10, true) == Numbers{6, 8, 9, 10});
  CHECK(unconfirmed.count() == 0);
  CHECK(unconfirmed.add() == 11);
  CHECK(settle(unconfirmed, 11, false) == Numbers{11});
}
