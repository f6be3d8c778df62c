#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

TEST_CASE("a publisher that is held back is told why, if it wants to know, and once") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.wants_blocked = true;
  peer.open();
  CHECK_FALSE(peer.session.take_published());
  peer.publish(1, "", "q", "m");
  CHECK(peer.session.take_published());
  CHECK_FALSE(peer.session.take_published());
  peer.session.hold_back("low on memory");
  peer.expect(0, amqp::connection::Blocked{.reason = "low on memory"});
  peer.session.hold_back("low on memory");
  peer.expect_nothing();
  peer.session.go_on(broker.now);
  peer.expect(0, amqp::connection::Unblocked{});
  peer.session.go_on(broker.now);
  peer.expect_nothing();
}

TEST_CASE("without the capability, or a reason to tell, nothing is said") {
  TestBroker broker;
  SessionPeer peer(broker);
  SUBCASE("no capability") {
    peer.open();
    peer.session.hold_back("low on memory");
  }
  SUBCASE("no reason") {
    peer.wants_blocked = true;
    peer.open();
    peer.session.hold_back("");
  }
  peer.session.go_on(broker.now);
  peer.expect_nothing();
}

TEST_CASE("while nothing is read from it a silent client is not given up") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open_connection(10);
  peer.session.hold_back("");
  for (int i = 0; i < 10; ++i) {
    broker.now += std::chrono::seconds(5);
    peer.session.tick(broker.now);
  }
  CHECK_FALSE(peer.session.finished());
  peer.session.go_on(broker.now);
  broker.now += std::chrono::seconds(19);
  peer.session.tick(broker.now);
  CHECK_FALSE(peer.session.finished());
  broker.now += std::chrono::seconds(1);
  peer.session.tick(broker.now);
  CHECK(peer.session.finished());
}
