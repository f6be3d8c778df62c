#include "cli/outgoing.hpp"

#include <doctest/doctest.h>

#include <haypile/error.hpp>

using namespace haypile;
using namespace haypile::cli;

TEST_CASE("messages are persistent, and nothing else is said") {
  CHECK(Outgoing().properties() == Properties{.delivery_mode = persistent});
}

TEST_CASE("properties are texts or numbers") {
  Outgoing outgoing;
  for (const char* text : {"content_type=text/plain", "message-id=a=b", "priority=5",
                           "delivery_mode=1", "timestamp=1700000000", "type="})
    outgoing.set_property(text);
  CHECK(outgoing.properties() == Properties{.content_type = "text/plain",
                                            .delivery_mode = transient,
                                            .priority = 5,
                                            .message_id = "a=b",
                                            .timestamp = amqp::Timestamp{1700000000},
                                            .type = ""});
}

TEST_CASE("properties that do not exist or do not fit are refused") {
  Outgoing outgoing;
  for (const char* text : {"colour=red", "headers=x", "priority=256", "priority=-1",
                           "priority=", "priority=1x", "content_type", "=x"})
    CHECK_THROWS_AS(outgoing.set_property(text), Error);
  CHECK_THROWS_WITH(outgoing.set_property("colour=red"), doctest::Contains("content_type"));
}

TEST_CASE("headers are texts, or JSON with :=") {
  Outgoing outgoing;
  for (const char* text : {"kind=cat", "n:=-5", "half:=0.5", "yes:=true", "none:=null",
                           "list:=[1,\"a\"]", "map:={\"a\":2}", "text:=\"5\"", "number=5"})
    outgoing.set_header(text);
  const amqp::TableView headers = *outgoing.properties().headers;
  CHECK(headers.find("kind")->as_string() == "cat");
  CHECK(headers.find("n")->as_int64() == -5);
  CHECK(headers.find("half")->as_double() == 0.5);
  CHECK(headers.find("yes")->as_bool() == true);
  CHECK(headers.find("none")->is_void());
  CHECK(headers.find("list")->as_array()->begin()->as_int64() == 1);
  CHECK(headers.find("map")->as_table()->find("a")->as_int64() == 2);
  CHECK(headers.find("text")->as_string() == "5");
  CHECK(headers.find("number")->as_string() == "5");
}

TEST_CASE("headers that make no sense are refused") {
  Outgoing outgoing;
  for (const char* text : {"kind", "=x", "n:=five", "n:=", "n:=9223372036854775808"})
    CHECK_THROWS_AS(outgoing.set_header(text), Error);
}
