#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <haypile/message_properties.hpp>

using namespace haypile;
using amqp::Properties;
using amqp::Table;

namespace {

const std::string long_text = "a text that is too long to be kept within the string itself";

// What once read freed memory.
MessageProperties filled_by_a_function(int ttl_ms) {
  MessageProperties properties{.delivery_mode = amqp::delivery_mode_persistent};
  properties.headers = Table{{"job", long_text}};
  properties.expiration = std::to_string(ttl_ms);
  properties.correlation_id = long_text + "!";
  return properties;
}

std::string encoded(const Properties& properties) {
  std::string raw;
  REQUIRE(amqp::append_properties(raw, properties));
  return raw;
}

// A function with the two overloads of basic_publish().
struct Publisher {
  bool owned = false;
  std::string raw{};

  void publish(std::string_view, const Properties& properties = {}, bool = false) {
    raw = encoded(properties);
  }
  template <OwningProperties Owned = MessageProperties>
  void publish(std::string_view body, const Owned& properties, bool mandatory = false) {
    const Properties views = properties;
    publish(body, views, mandatory);
    owned = true;
  }
};

static_assert(std::is_aggregate_v<MessageProperties>);
static_assert(std::is_nothrow_move_constructible_v<MessageProperties>);
static_assert(std::is_convertible_v<MessageProperties&, Properties>);
static_assert(std::is_convertible_v<const MessageProperties&, Properties>);
static_assert(!std::is_convertible_v<MessageProperties, Properties>);
static_assert(!std::is_convertible_v<const MessageProperties, Properties>);
template <class Text>
constexpr bool properties_take = requires(Text text) {
  Properties{.expiration = static_cast<Text>(text)};
};
static_assert(properties_take<std::string&> && !properties_take<std::string&&>);

}  // namespace

TEST_CASE("properties that own their texts can be returned from a function") {
  const MessageProperties owned = filled_by_a_function(60'000);
  const Properties views = owned;
  CHECK(views.expiration == "60000");
  CHECK(views.correlation_id == long_text + "!");
  CHECK(views.headers->get<std::string_view>("job") == long_text);
  CHECK(views.delivery_mode == amqp::delivery_mode_persistent);
  CHECK_FALSE(views.reply_to);
  CHECK(views.correlation_id->data() == owned.correlation_id->data());
}

TEST_CASE("every property is copied, and comes back") {
  const Table headers{{"n", 1}};
  const Properties all{.content_type = "ct",
                       .content_encoding = "ce",
                       .headers = headers,
                       .delivery_mode = std::uint8_t{2},
                       .priority = std::uint8_t{3},
                       .correlation_id = "c",
                       .reply_to = "r",
                       .expiration = "5",
                       .message_id = "m",
                       .timestamp = amqp::Timestamp{7},
                       .type = "t",
                       .user_id = "u",
                       .app_id = "a",
                       .cluster_id = "cl"};
  const auto check = [](const Properties& properties) {
    const MessageProperties copy = MessageProperties::copy_of(properties);
    CHECK(Properties(copy) == properties);
    CHECK(encoded(copy) == encoded(properties));
    CHECK(MessageProperties::copy_of(copy) == copy);
  };
  check(all);
  check({});
  check({.content_type = ""});
  check({.user_id = "u"});
}

TEST_CASE("a copy does not refer to the original") {
  MessageProperties copy;
  {
    std::string text = long_text;
    Table headers{{"job", text}};
    copy = MessageProperties::copy_of({.headers = headers, .message_id = text});
    text.assign(text.size(), 'x');
    headers.set("job", text);
  }
  CHECK(copy.message_id == long_text);
  CHECK(copy.headers == Table{{"job", long_text}});
}

TEST_CASE("empty headers are not sent") {
  const MessageProperties copy = MessageProperties::copy_of({.headers = amqp::TableView()});
  CHECK_FALSE(Properties(copy).headers);
}

TEST_CASE("a call may have temporaries among its properties") {
  Publisher publisher;
  const int ttl_ms = 60'000'000;
  publisher.publish("", {.expiration = std::to_string(ttl_ms) + std::string(30, '0')}, true);
  CHECK(publisher.owned);
  CHECK(publisher.raw == encoded({.expiration = "60000000000000000000000000000000000000"}));
  publisher.publish("", {.headers = Table{{"n", 1}}, .reply_to = long_text + "?"});
  const std::string reply_to = long_text + "?";
  const Table headers{{"n", 1}};
  CHECK(publisher.raw == encoded({.headers = headers, .reply_to = reply_to}));
  publisher.publish("", filled_by_a_function(5));
  const MessageProperties owned = filled_by_a_function(5);
  CHECK(publisher.raw == encoded(owned));
}

TEST_CASE("a call without temporaries copies nothing") {
  Publisher publisher;
  const std::string text = "5";
  const Table headers{{"n", 1}};
  const Properties views{.priority = std::uint8_t{1}};
  publisher.publish("");
  publisher.publish("", {});
  publisher.publish("", {}, true);
  publisher.publish("", views);
  publisher.publish("", {.delivery_mode = amqp::delivery_mode_persistent});
  publisher.publish("", {.headers = headers, .expiration = text}, true);
  publisher.publish("", {.expiration = "5"});
  publisher.publish("", {.headers = headers.view(), .expiration = std::string_view(text)});
  CHECK_FALSE(publisher.owned);
}
