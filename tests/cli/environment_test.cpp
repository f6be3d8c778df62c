#include "cli/environment.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace haypile;
using namespace haypile::cli;

namespace {

using List = std::vector<std::string>;

bool has(const List& list, const std::string& variable) {
  return std::ranges::find(list, variable) != list.end();
}

}  // namespace

TEST_CASE("attempt, properties and headers are variables") {
  const amqp::Table headers{{"kind", "big cat"}, {"x-delivery-count", 2}, {"list", amqp::Table{}}};
  const List list = message_environment(
      {.content_type = "text/plain", .headers = headers.view(), .priority = 7}, 3);
  CHECK(list == List{"HAYPILE_MESSAGE_ATTEMPT=3", "HAYPILE_PROPERTY_CONTENT_TYPE=text/plain",
                     "HAYPILE_PROPERTY_PRIORITY=7", "HAYPILE_HEADER_KIND=big cat",
                     "HAYPILE_HEADER_X_DELIVERY_COUNT=2", "HAYPILE_HEADER_LIST={}"});
}

TEST_CASE("headers cannot get other names or values into the environment") {
  using namespace std::string_view_literals;
  const amqp::Table headers{{"a b", "x"},       {"x=y", "x"},       {"", "x"},
                            {"\xc3\xa4", "x"},  {"zero", "a\0b"sv}, {"same-name", "first"},
                            {"SAME_NAME", "2"}, {"() { :; }", "x"}};
  const List list = message_environment({.headers = headers.view()}, 1);
  CHECK(list == List{"HAYPILE_MESSAGE_ATTEMPT=1", "HAYPILE_HEADER_SAME_NAME=first"});
}

TEST_CASE("values and the whole are bounded") {
  amqp::Table headers{{"fits", std::string(environment_value_max_bytes, 'a')},
                      {"too_long", std::string(environment_value_max_bytes + 1, 'a')}};
  for (int i = 0; i < 100; ++i)
    headers.set("h" + std::to_string(i), std::string(4000, 'a'));
  const List list = message_environment({.headers = headers.view()}, 1);
  std::size_t bytes = 0;
  for (const std::string& variable : list)
    bytes += variable.size();
  CHECK(bytes <= environment_max_bytes);
  CHECK(bytes > environment_max_bytes - 4100);
  CHECK(has(list, "HAYPILE_HEADER_FITS=" + std::string(environment_value_max_bytes, 'a')));
  CHECK(std::ranges::none_of(
      list, [](const std::string& each) { return each.starts_with("HAYPILE_HEADER_TOO_LONG"); }));
}

TEST_CASE("what another message has set is recognised") {
  CHECK(is_about_message("HAYPILE_HEADER_X=1"));
  CHECK(is_about_message("HAYPILE_PROPERTY_TYPE=1"));
  CHECK(is_about_message("HAYPILE_MESSAGE_ATTEMPT=1"));
  CHECK_FALSE(is_about_message("HAYPILE_BIN=/bin"));
}
