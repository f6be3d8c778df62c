#include <doctest/doctest.h>

#include <random>
#include <string>

#include <haypile/amqp/table.hpp>

using namespace haypile::amqp;
using namespace std::string_view_literals;

namespace {

DecodeError check(std::string_view bytes) {
  TableView view;
  return TableView::parse(bytes, view);
}

// Returns a table in a table, and so on.
std::string nested(std::size_t depth) {
  std::string bytes;
  for (std::size_t i = 1; i < depth; ++i) {
    std::string outer("\x01kF", 3);
    for (int shift = 24; shift >= 0; shift -= 8) {
      outer += static_cast<char>(bytes.size() >> shift);
    }
    bytes.insert(0, outer);
  }
  return bytes;
}

}  // namespace

TEST_CASE("every kind of value comes back") {
  const Table inner{{"n", 1}};
  const Table table{{"bool", true},
                    {"int", -5},
                    {"long", std::int64_t{1} << 40},
                    {"double", 1.5},
                    {"text", "s"},
                    {"time", Timestamp{7}},
                    {"decimal", Decimal{2, -125}},
                    {"void", nullptr},
                    {"array", std::vector<Value>{1, "two", nullptr}},
                    {"bytes", Value::binary("b")},
                    {"table", inner}};
  TableView view;
  REQUIRE(TableView::parse(table.bytes(), view) == DecodeError::none);
  CHECK(view.find("bool")->as_bool() == true);
  CHECK(view.find("int")->as_int64() == -5);
  CHECK(view.find("long")->as_int64() == std::int64_t{1} << 40);
  CHECK(view.find("double")->as_double() == 1.5);
  CHECK(view.find("text")->as_string() == "s");
  CHECK(view.find("time")->as_timestamp() == Timestamp{7});
  CHECK(view.find("decimal")->as_decimal() == Decimal{2, -125});
  CHECK(view.find("void")->is_void());
  CHECK(view.find("bytes")->as_string() == "b");
  CHECK(view.find("table")->as_table()->find("n")->as_int64() == 1);
  const ArrayView array = view.find("array")->as_array().value();
  std::size_t count = 0;
  for (const ValueView& value : array) {
    if (count == 1) CHECK(value.as_string() == "two");
    ++count;
  }
  CHECK(count == 3);
  CHECK_FALSE(view.find("absent"));
  CHECK_FALSE(view.find("text")->as_int64());
}

TEST_CASE("integers of any width are read") {
  struct Case {
    std::string_view bytes;
    std::int64_t value;
  };
  for (const Case& c :
       {Case{"\x01kb\xff"sv, -1}, Case{"\x01kB\xff"sv, 255}, Case{"\x01ks\xff\xfe"sv, -2},
        Case{"\x01ku\xff\xfe"sv, 65534}, Case{"\x01kI\xff\xff\xff\xfd"sv, -3},
        Case{"\x01ki\xff\xff\xff\xfd"sv, 4294967293},
        Case{"\x01kl\xff\xff\xff\xff\xff\xff\xff\xfc"sv, -4},
        Case{"\x01kL\0\0\0\0\0\0\0\x05"sv, 5}}) {
    TableView view;
    REQUIRE(TableView::parse(c.bytes, view) == DecodeError::none);
    CHECK(view.find("k")->as_int64() == c.value);
  }
}

TEST_CASE("set replaces, erase removes") {
  Table table{{"a", 1}, {"b", 2}};
  table.set("a", "text");
  table.set("c", 3);
  CHECK(table == Table{{"a", "text"}, {"b", 2}, {"c", 3}});
  CHECK(table.erase("b"));
  CHECK_FALSE(table.erase("b"));
  CHECK(table == Table{{"a", "text"}, {"c", 3}});
  CHECK_THROWS_AS(table.set(std::string(256, 'k'), 1), std::length_error);
}

TEST_CASE("tables cut off anywhere are refused") {
  const Table table{
      {"text", "some text"}, {"array", std::vector<Value>{1, "two"}}, {"table", Table{{"n", 1}}}};
  const std::string_view bytes = table.bytes();
  std::size_t whole = 0;
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    if (check(bytes.substr(0, size)) == DecodeError::none) ++whole;
  }
  CHECK(whole == 2);  // behind the first and the second field
}

TEST_CASE("depth and number of values are bounded") {
  CHECK(check(nested(table_depth_max)) == DecodeError::none);
  CHECK(check(nested(table_depth_max + 1)) == DecodeError::too_deep);
  CHECK(check(nested(20'000)) == DecodeError::too_deep);
  std::string many;
  for (std::size_t i = 0; i < table_node_count_max; ++i)
    many += "\x01kV"sv;
  CHECK(check(many) == DecodeError::none);
  many += "\x01kV"sv;
  CHECK(check(many) == DecodeError::too_many);
}

TEST_CASE("lengths that lie") {
  CHECK(check("\x01kS\xff\xff\xff\xffx"sv) == DecodeError::truncated);
  CHECK(check("\x01k"
              "F\x00\x00\x00\x05x"sv) == DecodeError::truncated);
  CHECK(check("\xffk"sv) == DecodeError::truncated);
  CHECK(check("\x01kZ"sv) == DecodeError::unknown_tag);
  // An inner table may not reach beyond the one around it.
  CHECK(check("\x01k"
              "F\x00\x00\x00\x08\x01xS\x00\x00\x00\x09y"sv) != DecodeError::none);
}

TEST_CASE("random bytes never lead out of the table") {
  std::mt19937 random(1);
  const Table table{{"text", "some text"},
                    {"array", std::vector<Value>{1, "two"}},
                    {"table", Table{{"n", Table{{"m", 1.5}}}}}};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(table.bytes());
    for (unsigned i = 0; i < 1 + round % 3u; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    // The sanitizers watch. Unchecked bytes may be read, too.
    std::size_t count = 0;
    for (const Field& field : TableView::unchecked(bytes)) {
      count += field.key.size() + field.value.as_string().value_or("").size();
    }
    CHECK(count <= bytes.size());
    TableView view;
    if (TableView::parse(bytes, view) == DecodeError::none) CHECK(view.bytes() == bytes);
  }
}

TEST_CASE(
    "a table refuses what would be nested too deeply when it is put in, not when it is sent") {
  Table table;
  for (std::size_t depth = 2; depth <= table_depth_max; ++depth)
    table = Table{{"k", table}};
  REQUIRE(check(table.bytes()) == DecodeError::none);
  const Table before{{"other", 1}};
  Table outer = before;
  CHECK_THROWS_WITH_AS(outer.set("k\n", table),
                       "cannot set 'k\\n' in a table: tables nested too deeply", std::length_error);
  CHECK_FALSE(outer.try_set("k", table));
  CHECK_THROWS_AS((Table{{"k", table}}), std::length_error);
  CHECK_THROWS_AS(outer.set("k", std::vector<Value>{1, *table.view().find("k"), 2}),
                  std::length_error);
  CHECK(outer == before);
  // Far too deep is refused as well, without exhausting the stack.
  Value deep = 1;
  for (int i = 0; i < 2000; ++i)
    deep = std::vector<Value>{deep};
  CHECK_FALSE(outer.try_set("k", deep));
}

TEST_CASE("a table refuses more values than it can hold") {
  const std::vector<Value> most(table_node_count_max - 1);  // the array is one value more
  Table full{{"k", most}};
  REQUIRE(check(full.bytes()) == DecodeError::none);
  const Table before = full;
  CHECK_THROWS_WITH_AS(full.set("one more", 1),
                       "cannot set 'one more' in a table: table with too many values",
                       std::length_error);
  CHECK_FALSE(full.try_set("one more", nullptr));
  CHECK_FALSE(full.try_set("k", std::vector<Value>(table_node_count_max)));
  CHECK(full == before);
  // What is replaced does not count.
  CHECK(full.try_set("k", std::vector<Value>(table_node_count_max - 2)));
  CHECK(full.try_set("one more", std::string(20'000, 'x')));
  CHECK_FALSE(full.try_set("and another", 1));
  CHECK(full.erase("one more"));
  CHECK(full.try_set("and another", 1));
  CHECK(check(full.bytes()) == DecodeError::none);
}

TEST_CASE("a table refuses keys that are too long, and malformed values") {
  Table table;
  CHECK_THROWS_WITH_AS(table.set(std::string(256, 'k'), 1), "table key of more than 255 bytes",
                       std::length_error);
  CHECK_FALSE(table.try_set(std::string(256, 'k'), 1));
  CHECK(table.try_set(std::string(255, 'k'), 1));
  std::string_view bytes = "F\x00\x00\x00\x03\x01kZ"sv;
  const ValueView malformed = ValueView::cut(bytes).value();
  CHECK_THROWS_WITH_AS(table.set("k", malformed),
                       "cannot set 'k' in a table: table value of unknown type",
                       std::invalid_argument);
}
