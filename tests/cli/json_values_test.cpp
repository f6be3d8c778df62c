#include "cli/json_values.hpp"

#include <doctest/doctest.h>

using namespace haypile;
using namespace haypile::cli;

TEST_CASE("base64 of all rests") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("\xff\xfe\xfd\xfc") == "//79/A==");
}

TEST_CASE("text that is not UTF-8 is base64") {
  Json json;
  set_text(json, "good", "sch\xc3\xb6n");
  set_text(json, "bad", "\xff");
  CHECK(line_of(json) == "{\"good\":\"sch\xc3\xb6n\",\"bad_base64\":\"/w==\"}");
}

TEST_CASE("each type of value has a JSON that is near") {
  const amqp::Table table{{"flag", true},
                          {"int", 5},
                          {"double", 0.25},
                          {"text", "a\"b"},
                          {"bytes", amqp::Value::binary("\xff")},
                          {"time", amqp::Timestamp{7}},
                          {"decimal", amqp::Decimal{2, 314}},
                          {"table", amqp::Table{{"a", nullptr}}},
                          {"array", std::vector<amqp::Value>{1, "x"}}};
  CHECK(line_of(json_of(table.view())) ==
        R"({"flag":true,"int":5,"double":0.25,"text":"a\"b","bytes":{"base64":"/w=="},)"
        R"("time":7,"decimal":3.14,"table":{"a":null},"array":[1,"x"]})");
}

TEST_CASE("properties without headers, and only those that are set") {
  const amqp::Table headers{{"a", 1}};
  const Properties properties{
      .content_type = "text/plain", .headers = headers.view(), .priority = 3};
  CHECK(line_of(json_of(properties)) == R"({"content_type":"text/plain","priority":3})");
}
