#include "cli/splitter.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace haypile::cli;

TEST_CASE("messages are cut wherever the pieces end") {
  const std::string stream("one\n\nzero \0 in it\nrest", 22);
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    Splitter splitter('\n');
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      splitter.add(std::string_view(stream).substr(at, size));
      while (const auto message = splitter.next())
        messages.emplace_back(*message);
    }
    CHECK(messages == std::vector<std::string>{"one", "", std::string("zero \0 in it", 12)});
    CHECK(splitter.rest() == "rest");
  }
}

TEST_CASE("nothing is left behind the last separator") {
  Splitter splitter('\0');
  splitter.add(std::string_view("a\nb\0", 4));
  CHECK(splitter.next() == "a\nb");
  CHECK_FALSE(splitter.next());
  CHECK_FALSE(splitter.rest());
}
