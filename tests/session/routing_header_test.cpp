// What the broker changes in an incoming message: CC, BCC, direct reply-to.
#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

namespace {
struct Fixture {
  TestBroker broker;
  SessionPeer peer{broker};
  Fixture() { peer.open(); }
  amqp::Properties properties(const test::Received& received) {
    raw = received.raw_properties;
    amqp::Properties out;
    REQUIRE(amqp::decode_properties(raw, out) == amqp::DecodeError::none);
    return out;
  }
  std::string raw;
};
constexpr std::string_view reply_to = "amq.rabbitmq.reply-to";
}  // namespace

TEST_CASE_FIXTURE(Fixture, "CC and BCC are further routing keys; nobody sees BCC") {
  for (const std::string_view queue : {"to", "cc", "bcc"})
    peer.declare(queue);
  const amqp::Table headers{{"CC", std::vector<amqp::Value>{"cc", "to"}},
                            {"n", 1},
                            {"BCC", std::vector<amqp::Value>{"bcc", "nowhere"}}};
  peer.publish(1, "", "to", "m", {.headers = headers.view(), .correlation_id = "7"});
  for (const std::string_view queue : {"to", "cc", "bcc"}) {
    const auto received = peer.get(queue);
    REQUIRE(received);
    CHECK(received->routing_key == "to");
    const amqp::Properties got = properties(*received);
    CHECK(got.correlation_id == "7");
    CHECK(got.headers->find("CC") == headers.view().find("CC"));
    CHECK(got.headers->find("n"));
    CHECK_FALSE(got.headers->find("BCC"));
    CHECK(peer.drain(queue) == "");
  }
}

TEST_CASE_FIXTURE(Fixture, "a reply comes straight back to the channel that asked") {
  SessionPeer server(broker);
  server.open();
  server.declare("rpc");
  peer.consume(reply_to, "replies", true);
  peer.publish(1, "", "rpc", "question", {.reply_to = reply_to});
  const auto question = server.get("rpc");
  REQUIRE(question);
  const std::string address(properties(*question).reply_to.value());
  CHECK(address.starts_with("amq.rabbitmq.reply-to."));
  server.send(1, amqp::queue::Declare{.queue = address, .passive = true});
  server.expect(1, amqp::queue::DeclareOk{.queue = address, .consumer_count = 1});
  server.publish(1, "", address, "answer", {.correlation_id = "1"}, true);
  server.expect_nothing();
  const test::Received answer = peer.expect_delivery(1);
  CHECK(answer.body == "answer");
  CHECK(answer.consumer_tag == "replies");
  CHECK(answer.routing_key == address);
  CHECK(answer.exchange == "");
  SUBCASE("cancelled") {
    peer.send(1, amqp::basic::Cancel{.consumer_tag = "replies"});
    peer.expect(1, amqp::basic::CancelOk{.consumer_tag = "replies"});
  }
  SUBCASE("channel closed") {
    peer.send(1, amqp::channel::Close{});
    peer.expect(1, amqp::channel::CloseOk{});
  }
  SUBCASE("connection gone") {
    peer.session.disconnected();
  }
  // Nobody waits any more.
  server.publish(1, "", address, "late", {}, true);
  CHECK(server.expect_any<amqp::basic::Return>(1).reply_code == 312);
  test::Received returned;
  server.take_content(returned);
  server.send(1, amqp::queue::Declare{.queue = address, .passive = true});
  server.expect_close(1, 404, "nobody waits");
}

TEST_CASE_FIXTURE(Fixture, "what cannot be with direct reply-to is a 406") {
  SUBCASE("acknowledgements") {
    peer.send(1, amqp::basic::Consume{.queue = reply_to, .consumer_tag = "c"});
    peer.expect_close(1, 406, "reply consumer cannot acknowledge");
  }
  SUBCASE("two consumers") {
    peer.consume(reply_to, "c", true);
    peer.send(1, amqp::basic::Consume{.queue = reply_to, .consumer_tag = "d", .no_ack = true});
    peer.expect_close(1, 406, "reply consumer");
  }
  SUBCASE("asking without a consumer") {
    peer.publish(1, "", "rpc", "m", {.reply_to = reply_to});
    peer.expect_close(1, 406, "without a consumer");
  }
}

TEST_CASE_FIXTURE(Fixture, "whoever does not read its replies loses them, and nothing grows") {
  SessionPeer server(broker);
  server.open();
  peer.consume(reply_to, "c", true);
  server.declare("rpc");
  peer.publish(1, "", "rpc", "q", {.reply_to = reply_to});
  const std::string address(properties(*server.get("rpc")).reply_to.value());
  const std::string body(64 << 10, 'x');
  for (int i = 0; i < 100; ++i)
    server.publish(1, "", address, body);
  CHECK(peer.output().size() < 700u << 10);
}

TEST_CASE_FIXTURE(Fixture, "a consumer's priority has to be a number") {
  peer.declare("q");
  const amqp::Table wrong{{"x-priority", "high"}};
  peer.send(1, amqp::basic::Consume{.queue = "q", .arguments = wrong.view()});
  peer.expect_close(1, 406, "'x-priority'");
}
