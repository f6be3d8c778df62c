#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <haypile/amqp/properties.hpp>

using namespace haypile::amqp;

namespace {

using Text = OptionalView<std::string_view>;
using Headers = OptionalView<TableView>;

template <class View, class... Types>
constexpr bool all_become = ((std::is_convertible_v<Types, View> &&
                              std::is_assignable_v<View&, Types>)&&...);
template <class View, class... Types>
constexpr bool none_becomes = ((!std::is_constructible_v<View, Types> &&
                                !std::is_assignable_v<View&, Types>)&&...);

static_assert(all_become<Text, std::string&, const std::string&, std::string_view, const char*,
                         const char (&)[3], LongString, std::nullopt_t, Text, Text&, const Text&,
                         std::optional<std::string_view>, std::optional<std::string>&,
                         const std::optional<std::string>&>);
static_assert(all_become<Headers, Table&, const Table&, TableView, std::nullopt_t, Headers,
                         std::optional<TableView>, std::optional<Table>&>);

// What would be gone at the end of the statement.
static_assert(none_becomes<Text, std::string, const std::string, std::optional<std::string>>);
static_assert(none_becomes<Headers, Table, const Table, std::optional<Table>>);
static_assert(none_becomes<Text, std::nullptr_t, int, char, TableView, std::vector<char>>);
template <class T>
constexpr bool has_view = requires(T table) {
  static_cast<T>(table).view();
};
static_assert(has_view<Table&> && !has_view<Table&&>);

// Properties are as cheap as their parts.
static_assert(std::is_trivially_copyable_v<Properties>);
static_assert(std::is_trivially_destructible_v<Properties>);
static_assert(std::is_aggregate_v<Properties>);
static_assert(sizeof(Text) == sizeof(std::optional<std::string_view>));

std::string made(std::string text) {
  return text;
}

}  // namespace

TEST_CASE("an optional view is used like an optional") {
  const std::string owner = "owner";
  Text text;
  CHECK_FALSE(text);
  CHECK(text == std::nullopt);
  CHECK(text.value_or("other") == "other");
  CHECK_THROWS_AS(static_cast<void>(text.value()), std::bad_optional_access);
  text = owner;
  CHECK(text.has_value());
  CHECK(text->size() == 5);
  CHECK((*text).data() == owner.data());
  CHECK(text.value() == owner);
  const std::optional<std::string_view> copy = text;
  CHECK(copy == "owner");
  CHECK(std::exchange(text, std::nullopt) == owner);
  CHECK_FALSE(text);
  text = "literal";
  text = {};
  CHECK_FALSE(text);
  text.emplace() = "decoded";
  CHECK(text == "decoded");
  text.reset();
  CHECK_FALSE(text);
}

TEST_CASE("optional views are compared with each other, with texts and with temporaries") {
  const Text nothing;
  const Text empty = "";
  const Text text = "text";
  CHECK(nothing == Text());
  CHECK(nothing != empty);
  CHECK(nothing != "");
  CHECK(empty == "");
  CHECK(text == "text");
  CHECK("text" == text);
  CHECK(text != "other");
  CHECK(text == made("text"));
  CHECK(made("other") != text);
  CHECK(text == std::optional<std::string_view>("text"));
  const Table table{{"n", 1}};
  CHECK(Headers(table) == table);
  CHECK(Headers(table) == Table{{"n", 1}});
  CHECK(Headers(table) != Headers());
}

TEST_CASE("properties take what outlives them") {
  const Table headers{{"n", 1}};
  const std::string id = made("a text that is too long to be in the string itself");
  Properties properties{.headers = headers,
                        .delivery_mode = delivery_mode_persistent,
                        .expiration = "5",
                        .message_id = id};
  properties.user_id = id;
  properties.reply_to = properties.message_id;
  CHECK(properties.headers->bytes().data() == headers.bytes().data());
  CHECK(properties.reply_to->data() == id.data());
  const Properties copy = properties;
  CHECK(copy == properties);
  properties.expiration = std::nullopt;
  CHECK(copy != properties);
}
