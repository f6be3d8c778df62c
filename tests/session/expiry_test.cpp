// The arguments x-message-ttl and x-expires, and the property expiration.
#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

namespace {
struct Fixture {
  TestBroker broker;
  SessionPeer peer{broker};
  Fixture() { peer.open(); }
  void publish(std::string_view queue, std::string_view body, std::string_view expiration = {}) {
    amqp::Properties properties;
    if (!expiration.empty()) properties.expiration = expiration;
    peer.publish(1, "", queue, body, properties);
  }
};
}  // namespace

TEST_CASE_FIXTURE(Fixture, "a message is gone when its queue's time to live is over, not before") {
  peer.declare("q", false, {{"x-message-ttl", 1000}});
  publish("q", "one");
  broker.wait(400);
  publish("q", "two");
  CHECK(broker.engine.next_deadline() == broker.now_ms + 600);
  broker.wait(599);
  CHECK(peer.get("q", true)->body == "one");
  publish("q", "three");
  broker.wait(401);
  CHECK(peer.drain("q") == "three");
}

TEST_CASE_FIXTURE(Fixture, "of two times to live the shorter one counts") {
  peer.declare("q", false, {{"x-message-ttl", 1000}});
  publish("q", "short", "100");
  broker.wait(100);
  CHECK(peer.drain("q") == "");
  publish("q", "long", "5000");
  broker.wait(1000);
  CHECK(peer.drain("q") == "");
}

TEST_CASE_FIXTURE(Fixture,
                  "an expired message is never delivered, even if nobody was told in time") {
  peer.declare("q");
  publish("q", "late", "100");
  publish("q", "fresh");
  broker.engine.set_now(broker.now_ms + 100);
  peer.consume("q", "c");
  CHECK(peer.deliveries(1) == "fresh");
}

TEST_CASE_FIXTURE(Fixture, "time to live 0: to a consumer that is free, or not at all") {
  peer.declare("q", false, {{"x-message-ttl", 0}});
  publish("q", "nobody");
  CHECK(peer.drain("q") == "");
  peer.consume("q", "c");
  publish("q", "somebody");
  CHECK(peer.deliveries(1) == "somebody");
}

TEST_CASE_FIXTURE(Fixture, "a message behind one that lives longer expires when it is its turn") {
  peer.declare("q");
  publish("q", "long", "1000");
  publish("q", "short", "10");
  broker.wait(500);
  CHECK(peer.get("q", true)->body == "long");
  CHECK(peer.drain("q") == "");
}

TEST_CASE_FIXTURE(Fixture,
                  "what a consumer holds does not expire, but it does when it comes back") {
  peer.declare("q", false, {{"x-message-ttl", 100}});
  publish("q", "held");
  const auto got = peer.get("q", false);
  broker.wait(1000);
  peer.send(1, amqp::basic::Reject{.delivery_tag = got->delivery_tag, .requeue = true});
  CHECK(peer.drain("q") == "");
}

TEST_CASE_FIXTURE(Fixture, "nothing is due without times to live, nor after what had one is gone") {
  CHECK(broker.engine.next_deadline() == engine::no_deadline);
  peer.declare("q");
  publish("q", "plain");
  CHECK(broker.engine.next_deadline() == engine::no_deadline);
  publish("q", "timed", "1000");
  CHECK(broker.engine.next_deadline() == engine::no_deadline);  // it is not at the head
  CHECK(peer.drain("q") == "plain timed");
  broker.wait(5000);
  CHECK(broker.engine.next_deadline() == engine::no_deadline);
}

TEST_CASE_FIXTURE(Fixture, "a large backlog that expires at once goes in portions, and all of it") {
  peer.declare("q", false, {{"x-message-ttl", 1000}});
  for (int i = 0; i < 50'000; ++i)
    publish("q", "x");
  broker.wait(1000);
  int rounds = 1;
  for (; broker.engine.next_deadline() != engine::no_deadline; ++rounds)
    broker.engine.advance(broker.now_ms);
  CHECK(rounds > 1);
  CHECK(peer.drain("q") == "");
  CHECK(broker.engine.memory_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "a queue that is deleted with messages unacknowledged leaves no deadline") {
  peer.declare("q", false, {{"x-expires", 1000}, {"x-message-ttl", 1000}});
  publish("q", "held");
  const auto got = peer.get("q", false);
  peer.send(1, amqp::queue::Delete{.queue = "q"});
  peer.expect(1, amqp::queue::DeleteOk{});
  peer.send(1, amqp::basic::Nack{.delivery_tag = got->delivery_tag, .requeue = true});
  CHECK(broker.engine.next_deadline() == engine::no_deadline);
  CHECK(broker.engine.memory_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "an unused queue is deleted: no consumer, no get, not declared again") {
  const amqp::Table arguments{{"x-expires", 1000}};
  peer.declare("q", false, arguments);
  broker.wait(999);
  CHECK(broker.engine.queue_count() == 1);
  SUBCASE("left alone") {
    broker.wait(1);
    CHECK(broker.engine.queue_count() == 0);
  }
  SUBCASE("declared again") {
    peer.declare("q", false, arguments);
    broker.wait(999);
    CHECK(broker.engine.queue_count() == 1);
  }
  SUBCASE("asked after") {
    peer.send(1, amqp::queue::Declare{.queue = "q", .passive = true});
    peer.expect(1, amqp::queue::DeclareOk{.queue = "q"});
    broker.wait(999);
    CHECK(broker.engine.queue_count() == 1);
  }
  SUBCASE("asked for a message") {
    peer.get("q");
    broker.wait(999);
    CHECK(broker.engine.queue_count() == 1);
  }
  SUBCASE("with a consumer, and after it") {
    peer.consume("q", "c");
    broker.wait(100'000);
    CHECK(broker.engine.queue_count() == 1);
    peer.send(1, amqp::basic::Cancel{.consumer_tag = "c"});
    peer.expect(1, amqp::basic::CancelOk{.consumer_tag = "c"});
    broker.wait(999);
    CHECK(broker.engine.queue_count() == 1);
    broker.wait(1);
    CHECK(broker.engine.queue_count() == 0);
  }
  broker.wait(5000);
  CHECK(broker.engine.queue_count() == 0);
  CHECK(broker.engine.next_deadline() == engine::no_deadline);
}

TEST_CASE_FIXTURE(Fixture,
                  "whoever polls a queue that expires is logged a tenth of the time apart") {
  peer.declare("q", true, {{"x-expires", 10'000}});
  const std::vector<engine::TimeMs>& logged = broker.journal.unused_since;
  const engine::TimeMs start = broker.now_ms;
  CHECK(logged == std::vector<engine::TimeMs>{start + 1000});
  for (int i = 0; i < 3000; ++i) {
    broker.wait(1);
    CHECK_FALSE(peer.get("q"));
    // The logged time is never before the last use.
    REQUIRE(logged.back() >= broker.now_ms);
  }
  CHECK(logged.size() == 3);
  broker.wait(9'999);
  CHECK_FALSE(peer.get("q"));
  broker.wait(9'999);
  peer.declare("q", true, {{"x-expires", 10'000}});
  broker.wait(10'000);
  peer.send(1, amqp::queue::Declare{.queue = "q", .passive = true});
  peer.expect_close(1, 404, "no queue 'q' in vhost '/'");
}
