// The names of segments and piles.
#include <doctest/doctest.h>

#include "log/pile.hpp"
#include "log/segment.hpp"

using namespace haypile;

TEST_CASE("a number has one name, and that name this number") {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{0x2af}, UINT64_MAX}) {
    CHECK(log::segment_number(log::segment_name(number)) == number);
    CHECK(log::pile_number(log::pile_name(number)) == number);
  }
  CHECK(log::segment_name(0x2af) == "00000000000002af.seg");
  CHECK(log::pile_name(0x2af) == "00000000000002af.pile");
}

TEST_CASE("no other name is one of a segment") {
  for (const char* name :
       {"", ".seg", "00000000000002AF.seg", "0000000000002af.seg", "000000000000002af.seg",
        "00000000000002a-.seg", "0x000000000002af.seg", "+0000000000002af.seg",
        " 0000000000002af.seg", "00000000000002af.pile", "00000000000002af.seg.tmp"}) {
    CAPTURE(name);
    CHECK_FALSE(log::segment_number(name));
  }
}
