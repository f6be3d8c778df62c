// Content headers that are larger than a frame of the client that should get them.
#include <doctest/doctest.h>

#include <haypile/amqp/table.hpp>

#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

namespace {

struct Fixture {
  TestBroker broker;
  SessionPeer wide{broker};
  SessionPeer narrow{broker};

  Fixture() {
    wide.frame_max = broker.settings.frame_max_bytes;
    wide.open();
    narrow.open();
    wide.declare("q", true);
  }
  // Publishes a message whose content header has a frame of `header_size` bytes.
  void publish(std::string_view queue, std::string_view body, std::size_t header_size,
               bool mandatory = false) {
    publish(wide, queue, body, header_size, mandatory);
  }
  static void publish(SessionPeer& peer, std::string_view queue, std::string_view body,
                      std::size_t header_size, bool mandatory = false) {
    constexpr std::size_t around = 20 + 2 + 4 + 2 + 5;  // frame, flags, table, name, string
    const amqp::Table headers{{"h", std::string(header_size - around, 'x')}};
    peer.publish(1, "", queue, body, {.headers = headers.view()}, mandatory);
  }
  amqp::Properties properties(const test::Received& received) {
    raw = received.raw_properties;
    amqp::Properties out;
    REQUIRE(amqp::decode_properties(raw, out) == amqp::DecodeError::none);
    return out;
  }
  bool has_header(const test::Received& received, std::string_view name) {
    const amqp::Properties got = properties(received);
    return got.headers && got.headers->find(name);
  }
  void expect_refusal(SessionPeer& peer) {
    peer.session.tick(broker.now);
    const auto close = peer.expect_any<amqp::channel::Close>(1);
    CHECK(close.reply_code == 406);
    CHECK(close.reply_text ==
          "PRECONDITION_FAILED - content header of 5000 bytes exceeds frame_max 4096");
    close_method = {close.class_id, close.method_id};
  }
  void reopen(SessionPeer& peer) {
    peer.send(1, amqp::channel::CloseOk{});
    peer.send(1, amqp::channel::Open{});
    peer.expect(1, amqp::channel::OpenOk{});
  }
  amqp::MethodId close_method;
  std::string raw;
};

const amqp::Table to_dead{{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "q"}};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a header that just fits comes, one byte more closes the channel") {
  narrow.consume("q", "c");
  publish("q", "fits", 4096);
  CHECK(narrow.deliveries(1) == "fits");
  publish("q", "large", 5000);
  CHECK(narrow.session.deadline() <= broker.now);
  expect_refusal(narrow);
  CHECK(close_method == amqp::MethodId{});
  narrow.expect_nothing();
  CHECK(wide.drain("q") == "fits large");
}

TEST_CASE_FIXTURE(Fixture, "the channel is closed at once if it is the client's own call") {
  publish("q", "large", 5000);
  narrow.consume("q", "c", true);
  narrow.expect_close(1, 406, "content header of 5000 bytes exceeds frame_max 4096");
  SUBCASE("what comes behind it gets the next client like it") {
    publish("q", "next", 100);
    reopen(narrow);
    narrow.consume("q", "c", true);
    CHECK(narrow.deliveries(1) == "next");
  }
  const auto got = wide.get("q");
  REQUIRE(got);
  CHECK(got->body == "large");
  CHECK_FALSE(got->redelivered);
}

TEST_CASE_FIXTURE(Fixture, "basic.get closes the channel, and leaves the message") {
  wide.declare("counting", true, {{"x-queue-type", "quorum"}, {"x-delivery-limit", 1}});
  for (int i = 0; i < 3; ++i) {
    publish("counting", "large", 5000);
    narrow.send(1, amqp::basic::Get{.queue = "counting", .no_ack = i == 1});
    expect_refusal(narrow);
    CHECK(close_method == amqp::basic::Get::id);
    reopen(narrow);
  }
  CHECK_FALSE(narrow.get("counting"));
  for (int i = 0; i < 3; ++i) {
    const auto got = wide.get("counting");
    REQUIRE(got);
    CHECK_FALSE(got->redelivered);
    CHECK_FALSE(has_header(*got, "x-delivery-count"));
  }
}

TEST_CASE_FIXTURE(Fixture, "what the broker added goes first") {
  wide.declare("source", true, to_dead);
  publish("source", "dead", 4096);
  const auto got = wide.get("source", false);
  REQUIRE(got);
  wide.send(1, amqp::basic::Reject{.delivery_tag = got->delivery_tag, .requeue = false});
  SUBCASE("for who has no room for it") {
    SUBCASE("by basic.get") {
      const auto dead = narrow.get("q");
      REQUIRE(dead);
      CHECK(dead->raw_properties == got->raw_properties);
    }
    SUBCASE("by a consumer") {
      narrow.consume("q", "c");
      CHECK(narrow.expect_delivery(1).raw_properties == got->raw_properties);
    }
  }
  SUBCASE("for nobody else") {
    const auto dead = wide.get("q");
    REQUIRE(dead);
    CHECK(has_header(*dead, "x-death"));
    CHECK(has_header(*dead, "x-first-death-queue"));
  }
}

TEST_CASE_FIXTURE(Fixture, "how often a message came back is not told where there is no room") {
  wide.declare("counting", true, {{"x-delivery-limit", 5}});
  publish("counting", "m", 4096);
  for (int i = 0; i < 2; ++i) {
    const auto got = wide.get("counting", false);
    REQUIRE(got);
    CHECK(has_header(*got, "x-delivery-count") == (i == 1));
    wide.send(1, amqp::basic::Reject{.delivery_tag = got->delivery_tag, .requeue = true});
  }
  const auto got = narrow.get("counting");
  REQUIRE(got);
  CHECK(got->redelivered);
  CHECK_FALSE(has_header(*got, "x-delivery-count"));
  CHECK(has_header(*got, "h"));
}

TEST_CASE_FIXTURE(Fixture, "a channel that is refused gives back what it had to one who is not") {
  narrow.consume("q", "c");
  publish("q", "1", 100);
  publish("q", "large", 5000);
  wide.consume("q", "c");
  CHECK(wide.deliveries(1) == "large");
  CHECK(narrow.expect_delivery(1).body == "1");
  expect_refusal(narrow);
  CHECK(wide.deliveries(1) == "1");
}

TEST_CASE_FIXTURE(Fixture, "all channels of a connection may be refused one after the other") {
  narrow.open(2);
  narrow.consume("q", "c");
  narrow.send(2, amqp::basic::Consume{.queue = "q", .consumer_tag = "c"});
  narrow.expect(2, amqp::basic::ConsumeOk{.consumer_tag = "c"});
  publish("q", "a", 5000);
  publish("q", "b", 5000);
  narrow.session.tick(broker.now);
  CHECK(narrow.session.deadline() > broker.now);
  const std::string both = narrow.output();
  narrow.output().clear();
  CHECK(both.find("content header of 5000 bytes") != both.rfind("content header of 5000 bytes"));
  CHECK(wide.drain("q") == "a b");
}

TEST_CASE_FIXTURE(Fixture,
                  "a returned message comes as it was sent where its reply name is longer") {
  constexpr std::string_view reply_to = "amq.rabbitmq.reply-to";
  narrow.consume(reply_to, "replies", true);
  const amqp::Table headers{{"h", std::string(4096 - 33 - 22, 'x')}};
  narrow.publish(1, "", "nowhere", "b", {.headers = headers.view(), .reply_to = reply_to}, true);
  CHECK(narrow.expect_any<amqp::basic::Return>(1).reply_code == 312);
  test::Received received;
  narrow.take_content(received);
  CHECK(properties(received).reply_to == reply_to);
  CHECK(received.raw_properties.size() == 4096 - 20);
}

TEST_CASE_FIXTURE(Fixture, "a reply that is too large for its client is dropped, and returned") {
  narrow.consume("amq.rabbitmq.reply-to", "replies", true);
  narrow.publish(1, "", "q", "question", {.reply_to = "amq.rabbitmq.reply-to"});
  const auto question = wide.get("q");
  REQUIRE(question);
  const std::string name(properties(*question).reply_to.value());
  publish(name, "reply", 5000, true);
  CHECK(wide.expect_any<amqp::basic::Return>(1).reply_code == 312);
  narrow.expect_nothing();
  CHECK(narrow.session.deadline() > broker.now);
}
