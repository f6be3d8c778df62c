#include "cli/backoff.hpp"

#include <doctest/doctest.h>

using namespace haypile::cli;
using std::chrono::milliseconds;

TEST_CASE("pauses double up to the longest") {
  const Backoff backoff{milliseconds(100), milliseconds(500)};
  const int expected[] = {100, 200, 400, 500, 500};
  for (unsigned failures = 1; failures <= 5; ++failures)
    CHECK(backoff.pause(failures).count() == expected[failures - 1]);
  CHECK(backoff.pause(4'000'000'000).count() == 500);
}

TEST_CASE("without a first pause there is none") {
  CHECK(Backoff{milliseconds(0), milliseconds(500)}.pause(4'000'000'000).count() == 0);
}

TEST_CASE("the longest pause also bounds the first one") {
  CHECK(Backoff{milliseconds(900), milliseconds(500)}.pause(1).count() == 500);
}

TEST_CASE("pauses are spread over their second half") {
  CHECK(spread(milliseconds(1000), 0).count() == 500);
  CHECK(spread(milliseconds(1000), 1).count() == 1000);
}
