#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <vector>

#include <haypile/amqp/table.hpp>

using namespace haypile::amqp;

namespace {

const Table example{{"int", -5},
                    {"bool", true},
                    {"double", 1.5},
                    {"text", "s"},
                    {"time", Timestamp{7}},
                    {"decimal", Decimal{2, -125}},
                    {"table", Table{{"n", 1}}},
                    {"array", std::vector<Value>{1, 2, 3}}};

template <class T>
constexpr bool readable = requires(TableView table) {
  table.get<T>("key");
};
static_assert(readable<std::int64_t> && readable<TableView>);
static_assert(!readable<int> && !readable<float> && !readable<std::string> && !readable<Table>);
static_assert(std::is_same_v<decltype(TableView().get<double>("k")), std::optional<double>>);

// The headers that a broker writes.
Table dead_letter_headers() {
  const Table newest{{"count", std::int64_t{2}}, {"queue", "jobs"}, {"reason", "rejected"}};
  const Table oldest{{"count", std::int64_t{1}}, {"queue", "retry"}, {"reason", "expired"}};
  return {{"x-death", std::vector<Value>{newest, oldest}}};
}

}  // namespace

TEST_CASE("a value is read by its key and its type") {
  const TableView view = example.view();
  CHECK(view.get<std::int64_t>("int") == -5);
  CHECK(view.get<bool>("bool") == true);
  CHECK(view.get<double>("double") == 1.5);
  CHECK(view.get<std::string_view>("text") == "s");
  CHECK(view.get<Timestamp>("time") == Timestamp{7});
  CHECK(view.get<Decimal>("decimal") == Decimal{2, -125});
  CHECK(view.get<TableView>("table")->get<std::int64_t>("n") == 1);
  CHECK(view.get<ArrayView>("array") == view.array("array"));
}

TEST_CASE("a key that is not there and a value of another type are nothing") {
  const TableView view = example.view();
  CHECK_FALSE(view.get<std::int64_t>("absent"));
  CHECK_FALSE(view.get<std::int64_t>("text"));
  CHECK_FALSE(view.get<double>("int"));
  CHECK_FALSE(view.get<bool>("int"));
  CHECK_FALSE(view.get<std::string_view>("table"));
  CHECK_FALSE(view.get<TableView>("array"));
  CHECK_FALSE(view.get<ArrayView>("table"));
  CHECK(view.table("array").empty());
  CHECK(view.table("absent").empty());
  CHECK(view.array("table").empty());
  CHECK(view.find("text")->table().empty());
  CHECK(view.find("text")->array().empty());
}

// With a sanitizer this sees whether a loop refers to what is gone.
TEST_CASE("all ways to loop over a nested array see its values") {
  const TableView view = example.view();
  const auto value = view.find("array");
  std::int64_t sum = 0;
  for (const ValueView& each : value->array())
    sum += each.as_int64().value();
  for (const auto& each : view.array("array"))
    sum += each.as_int64().value();
  for (const auto& each : *value->as_array())
    sum += each.as_int64().value();
  for (const auto& each : value->as_array().value())
    sum += each.as_int64().value();
  for (const auto& each : *view.get<ArrayView>("array"))
    sum += each.as_int64().value();
  CHECK(sum == 5 * 6);
  std::string keys;
  for (const auto& field : *view.find("table")->as_table())
    keys += field.key;
  CHECK(keys == "n");
}

TEST_CASE("the deaths of a message are read as the header says") {
  const Table owner = dead_letter_headers();
  const TableView headers = owner.view();
  std::string read;
  for (const ValueView& death : headers.array("x-death")) {
    const TableView entry = death.table();
    const std::string_view queue = entry.get<std::string_view>("queue").value_or("");
    const std::int64_t count = entry.get<std::int64_t>("count").value_or(0);
    read += std::string(queue) + " " + std::to_string(count) + ";";
  }
  CHECK(read == "jobs 2;retry 1;");
  for (const ValueView& death : TableView().array("x-death"))
    FAIL_CHECK(death.bytes());
}
