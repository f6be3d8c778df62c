// The arguments x-max-length, x-max-length-bytes and x-overflow.
#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

namespace {
struct Fixture {
  TestBroker broker;
  SessionPeer peer{broker};
  Fixture() { peer.open(); }
  void publish(std::string_view body) { peer.publish(1, "", "q", body); }
  void select_confirms() {
    peer.send(1, amqp::confirm::Select{});
    peer.expect(1, amqp::confirm::SelectOk{});
  }
};
}  // namespace

TEST_CASE_FIXTURE(Fixture, "the oldest make room, what is unacknowledged does not count") {
  peer.declare("q", false, {{"x-max-length", 2}});
  publish("1");
  peer.get("q", false);
  for (const char* body : {"2", "3", "4"})
    publish(body);
  CHECK(peer.drain("q") == "3 4");
}

TEST_CASE_FIXTURE(Fixture, "bytes are those of the bodies") {
  peer.declare("q", false, {{"x-max-length-bytes", 10}});
  publish("12345");
  publish("67890");
  publish("a");
  CHECK(peer.drain("q") == "67890 a");
  publish("more than ten bytes");
  CHECK(peer.drain("q") == "");
}

TEST_CASE_FIXTURE(Fixture, "length 0: to a consumer that is free, or not at all") {
  peer.declare("q", false, {{"x-max-length", 0}});
  publish("nobody");
  CHECK(peer.drain("q") == "");
  peer.consume("q", "c");
  publish("somebody");
  CHECK(peer.deliveries(1) == "somebody");
}

TEST_CASE_FIXTURE(Fixture,
                  "reject-publish: a full queue takes no more, and the publisher is told") {
  peer.declare("q", false, {{"x-max-length", 1}, {"x-overflow", "reject-publish"}});
  select_confirms();
  publish("1");
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 1});
  publish("2");
  peer.expect(1, amqp::basic::Nack{.delivery_tag = 2});
  CHECK(peer.drain("q") == "1");
  publish("3");
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 3});
}

TEST_CASE_FIXTURE(Fixture, "acks and nacks come in the order of the messages, when they are due") {
  peer.declare("other", true);
  peer.declare("q", true, {{"x-max-length", 1}, {"x-overflow", "reject-publish"}});
  select_confirms();
  broker.journal.hold();
  std::string bytes;
  for (const char* queue : {"other", "q", "q", "q", "other", "other"}) {
    amqp::append_message(bytes, 1, amqp::basic::Publish{.routing_key = queue},
                         std::string_view("\x10\x00\x02", 3), "m", 4096);
  }
  peer.send_bytes(bytes);
  peer.expect_nothing();
  broker.journal.release();
  peer.session.log_advanced();
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 2, .multiple = true});
  peer.expect(1, amqp::basic::Nack{.delivery_tag = 3});
  peer.expect(1, amqp::basic::Nack{.delivery_tag = 4});
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 6, .multiple = true});
}

TEST_CASE_FIXTURE(Fixture, "one queue that refuses is a nack, though others take the message") {
  peer.declare("q", false, {{"x-max-length", 0}, {"x-overflow", "reject-publish"}});
  peer.declare("open");
  for (const std::string_view queue : {"q", "open"}) {
    peer.send(1, amqp::queue::Bind{.queue = queue, .exchange = "amq.fanout"});
    peer.expect(1, amqp::queue::BindOk{});
  }
  select_confirms();
  peer.publish(1, "amq.fanout", "", "m", {}, true);
  peer.expect(1, amqp::basic::Nack{.delivery_tag = 1});
  CHECK(peer.drain("open") == "m");
}

TEST_CASE_FIXTURE(Fixture, "reject-publish-dlx: refused, and dead-lettered") {
  peer.declare("dead");
  peer.declare("q", false,
               {{"x-max-length", 1},
                {"x-overflow", "reject-publish-dlx"},
                {"x-dead-letter-exchange", ""},
                {"x-dead-letter-routing-key", "dead"}});
  select_confirms();
  publish("1");
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 1});
  publish("2");
  peer.expect(1, amqp::basic::Nack{.delivery_tag = 2});
  CHECK(peer.drain("q") == "1");
  CHECK(peer.drain("dead") == "2");
}

TEST_CASE_FIXTURE(Fixture, "expired messages take no room") {
  peer.declare("q", false,
               {{"x-max-length", 1}, {"x-overflow", "reject-publish"}, {"x-message-ttl", 10}});
  publish("old");
  broker.engine.set_now(broker.now_ms + 10);
  publish("new");
  CHECK(peer.drain("q") == "new");
}
