// What happens when there is no memory for something that has to be sent.
#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

TEST_CASE("a client to which nothing can be said for want of memory is lost, and nobody else") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.send(1, amqp::confirm::Select{.no_wait = true});
  const auto publish = [&](std::string_view queue, bool mandatory, std::size_t size) {
    peer.publish(1, "", queue, std::string(size, 'x'), {}, mandatory);
  };
  SUBCASE("a reply") {
    broker.is_out_of_memory = true;
    peer.send(1, amqp::queue::Declare{.queue = "r"});
  }
  SUBCASE("a reply of the connection") {
    broker.is_out_of_memory = true;
    peer.send(0, amqp::connection::UpdateSecret{.new_secret = "s", .reason = "r"});
  }
  SUBCASE("a confirm") {
    broker.is_out_of_memory = true;
    publish("q", false, 10);
  }
  SUBCASE("a small message that comes back") {
    broker.is_out_of_memory = true;
    publish("nobody", true, 10);
  }
  SUBCASE("a large message that comes back") {
    broker.is_out_of_memory = true;
    publish("nobody", true, 100'000);
  }
  SUBCASE("a message that is got") {
    SessionPeer other(broker);
    other.open();
    other.publish(1, "", "q", "m");
    broker.is_out_of_memory = true;
    peer.send(1, amqp::basic::Get{.queue = "q"});
  }
  SUBCASE("a message that is delivered") {
    SessionPeer other(broker);
    other.open();
    peer.consume("q", "c");
    broker.is_out_of_memory = true;
    other.publish(1, "", "q", "m");
  }
  SUBCASE("why it is closed") {
    broker.is_out_of_memory = true;
    peer.send(9, amqp::channel::Flow{.active = true});
  }
  CHECK_FALSE(broker.is_out_of_memory);
  CHECK(peer.session.output_is_lost());
  CHECK_NOTHROW(broker.engine.check_invariants());
  SessionPeer another(broker);
  another.open();
  another.declare("s");
}
