#include "session/text.hpp"

#include <doctest/doctest.h>

using haypile::session::printable;

TEST_CASE("what people read is printed as it is") {
  CHECK(printable("task_queue 'a' \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") ==
        "task_queue 'a' \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(printable("") == "");
}

TEST_CASE("what would act on a terminal or a log is not") {
  CHECK(printable("a\nb\r\x1b[2J\x7f") == "a\\x0ab\\x0d\\x1b[2J\\x7f");
  CHECK(printable(std::string_view("\0", 1)) == "\\x00");
  CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");           // C1: control sequence introducer
  CHECK(printable("\xe2\x80\xae") == "\\xe2\\x80\\xae");  // right-to-left override
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");           // no UTF-8
  CHECK(printable("\xc0\x8a") == "\\xc0\\x8a");           // overlong line feed
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // surrogate
}

TEST_CASE("what is long is cut, between characters") {
  CHECK(printable(std::string(200, 'x'), 10) == std::string(10, 'x') + "...");
  CHECK(printable("123456789\xc3\xa4", 10) == "123456789...");
  CHECK(printable(std::string(10, 'x'), 10) == std::string(10, 'x'));
}
