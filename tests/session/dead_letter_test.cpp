#include "session/publication.hpp"
#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

namespace {

struct Fixture {
  TestBroker broker;
  SessionPeer peer{broker};
  Fixture() {
    peer.open();
    peer.declare("dead", true);
  }
  amqp::Properties properties(const test::Received& received) {
    raw = received.raw_properties;
    amqp::Properties out;
    REQUIRE(amqp::decode_properties(raw, out) == amqp::DecodeError::none);
    return out;
  }
  // The headers of the first message in the queue.
  amqp::TableView headers_of_next(std::string_view queue = "dead") {
    const auto received = peer.get(queue);
    REQUIRE(received);
    return properties(*received).headers.value_or(amqp::TableView());
  }
  void reject(std::string_view queue) {
    const auto got = peer.get(queue, false);
    REQUIRE(got);
    peer.send(1, amqp::basic::Reject{.delivery_tag = got->delivery_tag, .requeue = false});
  }
  std::vector<amqp::TableView> deaths(amqp::TableView headers) {
    std::vector<amqp::TableView> all;
    const auto value = headers.find("x-death");
    if (!value) return all;
    const amqp::ArrayView entries = value->as_array().value();
    for (const amqp::ValueView& each : entries)
      all.push_back(each.as_table().value());
    return all;
  }
  std::string raw;
};

const amqp::Table to_dead{{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}};

std::string text(amqp::TableView table, std::string_view key) {
  return std::string(table.find(key).value().as_string().value());
}
std::int64_t number(amqp::TableView table, std::string_view key) {
  return table.find(key).value().as_int64().value();
}
amqp::Table with(amqp::Table table, std::string_view key, const amqp::Value& value) {
  table.set(key, value);
  return table;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a rejected message goes on with the story of its death") {
  peer.declare("q", true, to_dead);
  const amqp::Table headers{{"mine", "kept"}};
  peer.publish(1, "amq.direct", "none", "unroutable");
  peer.publish(
      1, "", "q", "body",
      {.headers = headers.view(), .delivery_mode = std::uint8_t{2}, .priority = std::uint8_t{4}});
  reject("q");
  const auto received = peer.get("dead");
  REQUIRE(received);
  CHECK(received->body == "body");
  CHECK(received->exchange == "");
  CHECK(received->routing_key == "dead");
  const amqp::Properties got = properties(*received);
  CHECK(got.priority == 4);
  CHECK(text(*got.headers, "mine") == "kept");
  CHECK(text(*got.headers, "x-first-death-reason") == "rejected");
  CHECK(text(*got.headers, "x-first-death-queue") == "q");
  CHECK(text(*got.headers, "x-first-death-exchange") == "");
  const auto death = deaths(*got.headers);
  REQUIRE(death.size() == 1);
  const amqp::Table wanted{{"count", std::int64_t{1}},
                           {"exchange", ""},
                           {"queue", "q"},
                           {"reason", "rejected"},
                           {"routing-keys", std::vector<amqp::Value>{"q"}},
                           {"time", amqp::Timestamp{broker.now_ms / 1000}}};
  CHECK(death[0] == wanted.view());
}

TEST_CASE_FIXTURE(Fixture, "an expired message loses its expiration, and x-death keeps it") {
  peer.declare("q", false, to_dead);
  peer.publish(1, "", "q", "b", {.expiration = "50"});
  broker.wait(50);
  const auto received = peer.get("dead");
  REQUIRE(received);
  const amqp::Properties got = properties(*received);
  CHECK_FALSE(got.expiration);
  const auto death = deaths(*got.headers);
  REQUIRE(death.size() == 1);
  CHECK(text(death[0], "reason") == "expired");
  CHECK(text(death[0], "original-expiration") == "50");
}

TEST_CASE_FIXTURE(Fixture, "the same death again counts up and moves to the front") {
  peer.declare("q", false, to_dead);
  peer.publish(1, "", "q", "b");
  reject("q");
  for (int round = 2; round <= 3; ++round) {
    const auto received = peer.get("dead");
    REQUIRE(received);
    peer.publish(1, "", "q", received->body, properties(*received));
    reject("q");
  }
  const auto death = deaths(headers_of_next());
  REQUIRE(death.size() == 1);
  CHECK(number(death[0], "count") == 3);
}

TEST_CASE_FIXTURE(Fixture, "a retry loop by time to live goes round as long as workers reject") {
  peer.declare("work", false,
               {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "retry"}});
  peer.declare("retry", false,
               {{"x-dead-letter-exchange", ""},
                {"x-dead-letter-routing-key", "work"},
                {"x-message-ttl", 100}});
  peer.publish(1, "", "work", "task");
  for (int round = 1; round <= 3; ++round) {
    reject("work");
    broker.wait(100);
  }
  const auto death = deaths(headers_of_next("work"));
  REQUIRE(death.size() == 2);
  CHECK(text(death[0], "queue") == "retry");
  CHECK(number(death[0], "count") == 3);
  CHECK(text(death[1], "queue") == "work");
  CHECK(number(death[1], "count") == 3);
}

TEST_CASE_FIXTURE(Fixture, "a message that goes round without anybody rejecting it is dropped") {
  peer.declare(
      "a", false,
      {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "b"}, {"x-message-ttl", 10}});
  peer.declare(
      "b", false,
      {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "a"}, {"x-message-ttl", 10}});
  peer.publish(1, "", "a", "m");
  broker.wait(10);
  CHECK(peer.get("b", false)->body == "m");
  peer.send(1, amqp::basic::Recover{.requeue = true});
  peer.expect(1, amqp::basic::RecoverOk{});
  broker.wait(10);
  CHECK(peer.drain("a") == "");
  CHECK(peer.drain("b") == "");
  CHECK(broker.engine.memory_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "without a routing key of its own the queue leaves the message's, CC too") {
  peer.send(1, amqp::exchange::Declare{.exchange = "dlx", .type = "direct"});
  peer.expect(1, amqp::exchange::DeclareOk{});
  peer.declare("q", false, {{"x-dead-letter-exchange", "dlx"}});
  peer.declare("copy");
  for (const std::string_view key : {"q", "extra"}) {
    peer.send(1, amqp::queue::Bind{.queue = "copy", .exchange = "dlx", .routing_key = key});
    peer.expect(1, amqp::queue::BindOk{});
  }
  const amqp::Table headers{{"CC", std::vector<amqp::Value>{"extra"}}};
  peer.publish(1, "", "q", "b", {.headers = headers.view()});
  reject("q");
  const auto received = peer.get("copy");
  REQUIRE(received);
  CHECK(received->exchange == "dlx");
  CHECK(received->routing_key == "q");
  const amqp::TableView got = properties(*received).headers.value();
  CHECK(got.find("CC"));
  CHECK(deaths(got)[0].find("routing-keys").value() ==
        amqp::Value(std::vector<amqp::Value>{"q", "extra"}).view());
  CHECK(peer.drain("copy") == "");
}

TEST_CASE_FIXTURE(Fixture, "with a routing key of its own CC goes") {
  peer.declare("q", false, to_dead);
  const amqp::Table headers{{"CC", std::vector<amqp::Value>{"extra"}}};
  peer.publish(1, "", "q", "b", {.headers = headers.view()});
  reject("q");
  CHECK_FALSE(headers_of_next().find("CC"));
}

TEST_CASE_FIXTURE(Fixture, "where no dead-letter exchange is there the message is dropped") {
  peer.declare("q", true, {{"x-dead-letter-exchange", "missing"}});
  peer.publish(1, "", "q", "b");
  reject("q");
  CHECK(peer.drain("q") == "");
  CHECK(broker.engine.memory_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "purging and deleting do not dead-letter") {
  peer.declare("q", false, to_dead);
  peer.publish(1, "", "q", "1");
  peer.send(1, amqp::queue::Purge{.queue = "q"});
  peer.expect(1, amqp::queue::PurgeOk{.message_count = 1});
  peer.publish(1, "", "q", "2");
  peer.send(1, amqp::queue::Delete{.queue = "q"});
  peer.expect(1, amqp::queue::DeleteOk{.message_count = 1});
  CHECK(peer.drain("dead") == "");
}

TEST_CASE_FIXTURE(Fixture,
                  "too many deliveries: the limit counts returns, and tells the consumer") {
  peer.declare("q", true, with(to_dead, "x-delivery-limit", 2));
  peer.publish(1, "", "q", "poison", {.delivery_mode = std::uint8_t{2}});
  for (int count = 0; count <= 2; ++count) {
    const auto got = peer.get("q", false);
    REQUIRE(got);
    CHECK(got->redelivered == (count > 0));
    const auto headers = properties(*got).headers;
    const auto told = headers ? headers->find("x-delivery-count") : std::nullopt;
    CHECK(told.has_value() == (count > 0));
    if (told) CHECK(told->as_int64() == count);
    peer.send(1, amqp::basic::Nack{.delivery_tag = got->delivery_tag, .requeue = true});
  }
  CHECK(peer.drain("q") == "");
  const auto death = deaths(headers_of_next());
  REQUIRE(death.size() == 1);
  CHECK(text(death[0], "reason") == "delivery_limit");
}

TEST_CASE_FIXTURE(Fixture, "a priority queue with a length limit overflows into another one") {
  peer.declare("second", false, {{"x-max-priority", 5}});
  peer.declare("first", false,
               {{"x-max-priority", 5},
                {"x-max-length", 2},
                {"x-dead-letter-exchange", ""},
                {"x-dead-letter-routing-key", "second"}});
  const auto publish = [&](std::string_view body, std::uint8_t priority) {
    peer.publish(1, "", "first", body, {.priority = priority});
  };
  publish("low", 1);
  publish("high", 5);
  publish("middle", 3);  // the head is dropped: high
  publish("top", 9);     // the head is dropped: this message, which counts as 5
  CHECK(peer.drain("first") == "middle low");
  CHECK(peer.drain("second") == "high top");
}

TEST_CASE_FIXTURE(Fixture, "each death is one group of the journal") {
  peer.declare("q", true, to_dead);
  peer.publish(1, "", "q", "b", {.delivery_mode = std::uint8_t{2}});
  const int before = broker.journal.groups;
  reject("q");
  CHECK(broker.journal.groups == before + 1);
}

TEST_CASE_FIXTURE(Fixture, "a chain of queues that all overflow is no recursion") {
  constexpr int count = 5000;
  for (int i = 0; i < count; ++i) {
    peer.declare("q" + std::to_string(i), false,
                 {{"x-max-length", 1},
                  {"x-dead-letter-exchange", ""},
                  {"x-dead-letter-routing-key", "q" + std::to_string(i + 1)}});
  }
  for (int i = 0; i < 100; ++i)
    peer.publish(1, "", "q0", "m" + std::to_string(i));
  while (broker.engine.next_deadline() <= broker.now_ms)
    broker.wait(0);
  CHECK(peer.drain("q0") == "m99");
  CHECK(peer.drain("q1") == "m98");
  // This is the largest number of hops.
  CHECK(peer.drain("q64") == "m35");
  CHECK(peer.drain("q65") == "");
}

TEST_CASE_FIXTURE(Fixture, "where dead letters multiply others are served in between") {
  // Each copy dies in every queue where it has not died yet: about 12! copies.
  for (int i = 0; i < 12; ++i) {
    const std::string name = "m" + std::to_string(i);
    peer.declare(name, false, {{"x-max-length", 0}, {"x-dead-letter-exchange", "amq.fanout"}});
    peer.send(1, amqp::queue::Bind{.queue = name, .exchange = "amq.fanout"});
    peer.expect(1, amqp::queue::BindOk{});
  }
  peer.publish(1, "amq.fanout", "", "hydra");
  CHECK(broker.engine.next_deadline() <= broker.now_ms);
  broker.wait(1);
  CHECK(broker.engine.memory_bytes() < 1u << 20);
  peer.publish(1, "", "dead", "m");
  CHECK(peer.drain("dead") == "m");
  for (int i = 0; i < 12; ++i) {
    peer.send(1, amqp::queue::Delete{.queue = "m" + std::to_string(i)});
    peer.expect(1, amqp::queue::DeleteOk{});
  }
  broker.wait(1);
  CHECK(broker.engine.next_deadline() == engine::no_deadline);
  CHECK(broker.engine.memory_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "many dead letters at once keep their order, over several portions") {
  peer.declare("q", true, with(to_dead, "x-message-ttl", 10));
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string body = std::to_string(i);
    peer.publish(1, "", "q", body, {.delivery_mode = std::uint8_t{2}});
    expected += (i == 0 ? "" : " ") + body;
  }
  broker.wait(10);
  while (broker.engine.next_deadline() <= broker.now_ms)
    broker.engine.advance(broker.now_ms);
  CHECK(peer.drain("dead") == expected);
}

TEST_CASE_FIXTURE(Fixture, "names that no message has room for are refused") {
  const std::string name(256, 'k');
  for (const std::string_view argument : {"x-dead-letter-exchange", "x-dead-letter-routing-key"}) {
    const amqp::Table arguments = with(to_dead, argument, name);
    peer.send(1, amqp::queue::Declare{.queue = "q", .arguments = arguments.view()});
    peer.expect_close(1, 406, argument);
    peer.send(1, amqp::channel::CloseOk{});
    peer.send(1, amqp::channel::Open{});
    peer.expect(1, amqp::channel::OpenOk{});
  }
}

TEST_CASE("a message with as many headers as there may be dies persistent, and can be read") {
  const session::AmqpPropertyCodec wire;
  std::string headers;
  for (std::size_t i = 0; i < amqp::table_node_count_max; ++i)
    headers += std::string("\x05") + std::to_string(10000 + i) + "V";
  std::string raw;
  amqp::append_properties(raw, {.headers = amqp::TableView::unchecked(headers),
                                .delivery_mode = std::uint8_t{2},
                                .message_id = "kept"});
  const std::string after =
      wire.after_death({.exchange = "", .routing_key = "q", .properties = raw, .body = ""},
                       {.queue = "q"})
          .properties;
  amqp::Properties properties;
  REQUIRE(amqp::decode_properties(after, properties) == amqp::DecodeError::none);
  CHECK(wire.traits(after).persistent);
  CHECK(properties.message_id == "kept");
  CHECK(properties.headers->find("x-death"));
}

TEST_CASE("headers that fill a table have no room for a mark or a count, which is no error") {
  const session::AmqpPropertyCodec wire;
  // The array is one value, too.
  const std::vector<amqp::Value> keys(amqp::table_node_count_max - 1, "k");
  const amqp::Table headers{{"CC", keys}};
  std::string raw;
  REQUIRE(amqp::append_properties(raw, {.headers = headers.view()}));
  amqp::Properties properties;
  // The entry about the death would have these keys, too.
  const auto dead = wire.after_death(
      {.exchange = "", .routing_key = "q", .properties = raw, .body = ""},
      {.queue = "q", .reason = engine::DeathReason::expired, .keys_replaced = true});
  REQUIRE(amqp::decode_properties(dead.properties, properties) == amqp::DecodeError::none);
  CHECK(dead.queues_passed == std::vector<std::string>{"q"});
  CHECK_FALSE(properties.headers->find("CC"));
  const std::string marked = wire.with_mark(raw, {.original = 5, .count = 7});
  REQUIRE(amqp::decode_properties(marked, properties) == amqp::DecodeError::none);
  CHECK(properties.headers->find("x-death-copies"));
  CHECK_FALSE(properties.headers->find("CC"));
  CHECK(session::with_delivery_count(raw, 3) == raw);
}
