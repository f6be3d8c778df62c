// The files that describe a data directory.
#include <doctest/doctest.h>

#include "log/contents.hpp"
#include "log/file_system.hpp"

using namespace haypile;

namespace {
constexpr log::DirectoryId id{0xfe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
}

TEST_CASE("an id is read as it was written, and nothing else is one") {
  const std::string text = log::encode_id(id);
  CHECK(text == "haypile data 1 fe0102030405060708090a0b0c0d0e0f\n");
  CHECK(log::decode_id(text) == id);
  CHECK_FALSE(log::decode_id(text + "\n"));
  CHECK_FALSE(log::decode_id(text.substr(0, text.size() - 1)));
  CHECK_FALSE(log::decode_id("haypile data 1 FE0102030405060708090a0b0c0d0e0f\n"));
  CHECK_FALSE(log::decode_id("haypile data 1 +e0102030405060708090a0b0c0d0e0f\n"));
}

TEST_CASE("one bit of the contents that is not as it was is noticed") {
  const log::Contents contents{id, {"/", "a\nb", "\xff"}};
  const std::string text = log::encode_contents(contents);
  const auto read = log::decode_contents(text, "contents");
  REQUIRE(read);
  CHECK(read->id == id);
  CHECK(read->vhosts == contents.vhosts);
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = text;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      CHECK_FALSE(log::decode_contents(bad, "contents"));
    }
    CHECK_FALSE(log::decode_contents(text.substr(0, at), "contents"));
  }
}

TEST_CASE("each virtual host has a directory of its own, whatever its name is") {
  CHECK(log::directory_name("/") == "%2F");
  CHECK(log::vhost_name("%2F") == "/");
  // No name is written like this.
  for (const char* other : {"%2f", "/", "%", "%4", "%+1", "%41", "a.b", "% 1"})
    CHECK_FALSE(log::vhost_name(other));
  const std::string a(255, '/');
  std::string b = a;
  b.back() = '.';
  CHECK(log::directory_name(a).size() < 255);
  CHECK(log::directory_name(a) != log::directory_name(b));
  CHECK_FALSE(log::vhost_name(log::directory_name(a)));
}
