#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>

#include <haypile/amqp/printable.hpp>

using haypile::amqp::printable;
using namespace std::string_view_literals;

TEST_CASE("what anybody can read stays as it is") {
  CHECK(printable("").empty());
  CHECK(printable("task_queue 'a' \\ \"b\" ~") == "task_queue 'a' \\ \"b\" ~");
  CHECK(printable("Größe 秘密 🐹") == "Größe 秘密 🐹");
}

TEST_CASE("what ends a line or steers a terminal is escaped") {
  CHECK(printable("a\nb\r\tc") == "a\\nb\\r\\tc");
  CHECK(printable("\x1b[2J\x1b]0;x\x07"sv) == "\\x1b[2J\\x1b]0;x\\x07");
  CHECK(printable("\0\x7f"sv) == "\\x00\\x7f");
  CHECK(printable("\xc2\x9b"
                  "2J") == "\\xc2\\x9b2J");  // CSI in Latin-1
  CHECK(printable("a\u2028b\u202eevil") == "a\\xe2\\x80\\xa8b\\xe2\\x80\\xaeevil");
  CHECK(printable("zero\u200bwidth") == "zero\\xe2\\x80\\x8bwidth");
}

TEST_CASE("octets that are no UTF-8 are escaped, each by itself") {
  CHECK(printable("\xff\xfe"sv) == "\\xff\\xfe");
  CHECK(printable("\xc0\x80"sv) == "\\xc0\\x80");           // overlong
  CHECK(printable("\xed\xa0\x80"sv) == "\\xed\\xa0\\x80");  // a surrogate
  CHECK(printable("\xf4\x90\x80\x80"sv) == "\\xf4\\x90\\x80\\x80");
  CHECK(printable("\xe2\x82"sv) == "\\xe2\\x82");  // cut off
  CHECK(printable("\xe2\x82z"sv) == "\\xe2\\x82z");
}

TEST_CASE("what is too long is cut between characters and says so") {
  CHECK(printable("12345", 5) == "12345");
  CHECK(printable("123456", 5) == "12...");
  CHECK(printable("12\n4", 5) == "12\\n4");
  CHECK(printable("123\n5", 5) == "12...");
  CHECK(printable("ä€ä", 6) == "ä...");
  CHECK(printable(std::string(16'384, 'x')).size() == 255);
  CHECK(printable(std::string(16'384, '\x01')).size() <= 255);
}

TEST_CASE("whatever comes in, one printable line of a bounded size comes out") {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 40, '\0');
    for (char& octet : text)
      octet = static_cast<char>(random() % 3 == 0 ? 0x80 + random() % 128 : random() % 256);
    const std::size_t size_max = 3 + random() % 60;
    const std::string out = printable(text, size_max);
    CHECK(out.size() <= size_max);
    for (const char octet : out)
      REQUIRE((static_cast<unsigned char>(octet) >= 0x20 && octet != 0x7f));
    CHECK(printable(out, size_max) == out);
  }
}
