#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

TEST_CASE("a refused method closes its channel only, and the number can be used again") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open(1);
  peer.open(2);
  peer.send(1, amqp::queue::Declare{.queue = "absent", .passive = true});
  const auto close = peer.expect_any<amqp::channel::Close>(1);
  CHECK(close.reply_code == 404);
  CHECK(close.reply_text == "NOT_FOUND - no queue 'absent' in vhost '/'");
  CHECK(close.class_id == 50);
  CHECK(close.method_id == 10);
  // Everything that comes for the channel before close-ok is ignored.
  peer.send(1, amqp::queue::Declare{.queue = "unseen"});
  peer.publish(1, "", "unseen", "body");
  peer.expect_nothing();
  peer.send(1, amqp::channel::CloseOk{});
  peer.send(2, amqp::queue::Declare{.queue = "q"});
  peer.expect(2, amqp::queue::DeclareOk{.queue = "q"});
  peer.send(1, amqp::channel::Open{});
  peer.expect(1, amqp::channel::OpenOk{});
  CHECK(broker.engine.queue_count() == 1);
}

TEST_CASE("crossing closes of one channel are both answered") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(1, amqp::queue::Declare{.queue = "absent", .passive = true});
  peer.expect_close(1, 404, "absent");
  peer.send(1, amqp::channel::Close{});
  peer.expect(1, amqp::channel::CloseOk{});
  peer.send(1, amqp::channel::CloseOk{});
  peer.send(1, amqp::channel::Open{});
  peer.expect(1, amqp::channel::OpenOk{});
}

TEST_CASE("opening a channel twice, or one beyond the maximum, ends the connection") {
  TestBroker broker;
  SUBCASE("twice: 504") {
    SessionPeer peer(broker);
    peer.open();
    peer.send(1, amqp::channel::Open{});
    peer.expect_close(0, 504, "channel 1 is open already");
  }
  SUBCASE("one more than channel_max: 530; it is not the number that counts") {
    broker.settings.channel_max = 2;
    SessionPeer peer(broker);
    peer.open_connection(0, 2);
    for (const std::uint16_t number : {std::uint16_t{65535}, std::uint16_t{7}}) {
      peer.send(number, amqp::channel::Open{});
      peer.expect(number, amqp::channel::OpenOk{});
    }
    peer.send(7, amqp::channel::Close{});
    peer.expect(7, amqp::channel::CloseOk{});
    peer.send(1, amqp::channel::Open{});
    peer.expect(1, amqp::channel::OpenOk{});
    peer.send(2, amqp::channel::Open{});
    peer.expect_close(0, 530, "negotiated channel_max (2)");
  }
}

TEST_CASE("redeclaring with another durable is a 406 that names queue, argument and both values") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("task_queue", true);
  peer.send(1, amqp::queue::Declare{.queue = "task_queue"});
  const auto close = peer.expect_any<amqp::channel::Close>(1);
  CHECK(close.reply_code == 406);
  CHECK(close.reply_text ==
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'task_queue' in vhost '/': "
        "received 'false' but current is 'true'");
}

TEST_CASE("names of 255 bytes do not make a reply text too long") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  const std::string name(255, 'n');
  peer.send(1, amqp::queue::Declare{.queue = name, .passive = true});
  peer.expect_close(1, 404, "no queue 'nnn");
}

TEST_CASE("replies about durable things wait for the log, and what follows them waits too") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open(1);
  peer.open(2);
  broker.journal.hold();
  peer.send(1, amqp::queue::Declare{.queue = "q", .durable = true});
  peer.send(1, amqp::basic::Qos{.prefetch_count = 1});
  peer.expect_nothing();
  CHECK(peer.session.awaits_log());
  peer.send(2, amqp::basic::Qos{.prefetch_count = 1});
  peer.expect(2, amqp::basic::QosOk{});
  peer.session.log_advanced();
  peer.expect_nothing();
  broker.journal.release();
  peer.session.log_advanced();
  peer.expect(1, amqp::queue::DeclareOk{.queue = "q"});
  peer.expect(1, amqp::basic::QosOk{});
  CHECK_FALSE(peer.session.awaits_log());
}

TEST_CASE("a channel closed by its client says all it has to say first") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  broker.journal.hold();
  peer.send(1, amqp::queue::Declare{.queue = "q", .durable = true});
  peer.send(1, amqp::channel::Close{});
  peer.expect_nothing();
  broker.journal.release();
  peer.session.log_advanced();
  peer.expect(1, amqp::queue::DeclareOk{.queue = "q"});
  peer.expect(1, amqp::channel::CloseOk{});
  peer.send(1, amqp::channel::Open{});
  peer.expect(1, amqp::channel::OpenOk{});
}

TEST_CASE("a queue without a name gets one, which stands for the empty name from then on") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(1, amqp::queue::Declare{});
  peer.expect(1, amqp::queue::DeclareOk{.queue = "amq.gen-unique-1"});
  peer.send(1, amqp::queue::Bind{.exchange = "amq.direct"});
  peer.expect(1, amqp::queue::BindOk{});
  peer.publish(1, "amq.direct", "amq.gen-unique-1", "routed");
  peer.send(1, amqp::queue::Declare{.passive = true});
  peer.expect(1, amqp::queue::DeclareOk{.queue = "amq.gen-unique-1", .message_count = 1});
  peer.send(1, amqp::queue::Purge{});
  peer.expect(1, amqp::queue::PurgeOk{.message_count = 1});
  peer.send(1, amqp::queue::Delete{});
  peer.expect(1, amqp::queue::DeleteOk{});
}

TEST_CASE("the empty name without a queue declared before is a 404") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(1, amqp::queue::Purge{});
  peer.expect_close(1, 404, "no previously declared queue");
}

TEST_CASE("reserved names are refused") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  SUBCASE("queue") {
    peer.send(1, amqp::queue::Declare{.queue = "amq.mine"});
    peer.expect_close(1, 403, "reserved prefix 'amq.*'");
  }
  SUBCASE("exchange") {
    peer.send(1, amqp::exchange::Declare{.exchange = "amq.mine", .type = "direct"});
    peer.expect_close(1, 403, "reserved prefix 'amq.*'");
  }
  SUBCASE("default exchange declared") {
    peer.send(1, amqp::exchange::Declare{.exchange = "", .type = "direct"});
    peer.expect_close(1, 403, "default exchange");
  }
  SUBCASE("default exchange bound") {
    peer.declare("q");
    peer.send(1, amqp::queue::Bind{.queue = "q", .exchange = ""});
    peer.expect_close(1, 403, "default exchange");
  }
}

TEST_CASE("wrong arguments are refused by name and value, unknown ones are accepted") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  const auto declare = [&](const amqp::Table& arguments) {
    peer.send(1, amqp::queue::Declare{.queue = "q", .arguments = arguments.view()});
  };
  SUBCASE("x-message-ttl") {
    declare({{"x-message-ttl", -1}});
    peer.expect_close(1, 406,
                      "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': '-1', expected");
  }
  SUBCASE("stream") {
    declare({{"x-queue-type", "stream"}});
    peer.expect_close(1, 406, "stream");
  }
  SUBCASE("a type that is none") {
    declare({{"x-queue-type", 7}});
    peer.expect_close(1, 406, "expected a string");
  }
  SUBCASE("classic is what absent means, whatever else is said") {
    declare({{"x-queue-type", "classic"}, {"x-my-own", true}});
    peer.expect(1, amqp::queue::DeclareOk{.queue = "q"});
    declare({});
    peer.expect(1, amqp::queue::DeclareOk{.queue = "q"});
    declare({{"x-queue-type", "quorum"}});
    peer.expect_close(1, 406, "x-queue-type");
  }
}

TEST_CASE("an unknown exchange type is a 406 that names those there are") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(1, amqp::exchange::Declare{.exchange = "e", .type = "x-delayed-message"});
  peer.expect_close(1, 406, "direct, fanout, topic or headers");
}

TEST_CASE("exchanges are declared, bound, unbound and deleted") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(1, amqp::exchange::Declare{.exchange = "a", .type = "topic"});
  peer.expect(1, amqp::exchange::DeclareOk{});
  peer.send(1, amqp::exchange::Declare{.exchange = "b", .type = "fanout"});
  peer.expect(1, amqp::exchange::DeclareOk{});
  peer.declare("q");
  peer.send(1, amqp::exchange::Bind{.destination = "b", .source = "a", .routing_key = "x.#"});
  peer.expect(1, amqp::exchange::BindOk{});
  peer.send(1, amqp::queue::Bind{.queue = "q", .exchange = "b"});
  peer.expect(1, amqp::queue::BindOk{});
  peer.publish(1, "a", "x.y", "through two");
  peer.publish(1, "a", "y.x", "nowhere");
  peer.send(1, amqp::queue::Declare{.queue = "q", .passive = true});
  peer.expect(1, amqp::queue::DeclareOk{.queue = "q", .message_count = 1});
  peer.send(1, amqp::exchange::Unbind{.destination = "b", .source = "a", .routing_key = "x.#"});
  peer.expect(1, amqp::exchange::UnbindOk{});
  peer.send(1, amqp::exchange::Delete{.exchange = "a"});
  peer.expect(1, amqp::exchange::DeleteOk{});
  peer.send(1, amqp::exchange::Delete{.exchange = "a"});
  peer.expect(1, amqp::exchange::DeleteOk{});
  peer.publish(1, "a", "x.y", "gone");
  peer.expect_close(1, 404, "no exchange 'a'");
}

TEST_CASE("an exclusive queue is its connection's, and goes with it") {
  TestBroker broker;
  SessionPeer other(broker);
  other.open();
  {
    SessionPeer peer(broker);
    peer.open();
    peer.send(1, amqp::queue::Declare{.queue = "mine", .exclusive = true});
    peer.expect(1, amqp::queue::DeclareOk{.queue = "mine"});
    other.send(1, amqp::queue::Declare{.queue = "mine", .passive = true});
    other.expect_close(1, 405, "locked queue 'mine'");
    CHECK(broker.engine.queue_count() == 1);
    peer.session.disconnected();
  }
  CHECK(broker.engine.queue_count() == 0);
}

TEST_CASE("what is not supported says so with 540") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  SUBCASE("flow") {
    peer.send(1, amqp::channel::Flow{.active = false});
    peer.expect_close(0, 540, "NOT_IMPLEMENTED - active=false");
  }
  SUBCASE("prefetch_size") {
    peer.send(1, amqp::basic::Qos{.prefetch_size = 1});
    peer.expect_close(0, 540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)");
  }
  SUBCASE("recover without requeue") {
    peer.send(1, amqp::basic::Recover{.requeue = false});
    peer.expect_close(0, 540, "requeue=false");
  }
  SUBCASE("immediate") {
    peer.send(1, amqp::basic::Publish{.routing_key = "q", .immediate = true});
    peer.expect_close(0, 540, "NOT_IMPLEMENTED - immediate=true");
  }
}

TEST_CASE("unbinding is ok whatever is missing") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  for (const std::string_view exchange : {"amq.direct", "none"}) {
    for (const std::string_view name : {"q", "gone"}) {
      peer.send(1, amqp::queue::Unbind{.queue = name, .exchange = exchange, .routing_key = "k"});
      peer.expect(1, amqp::queue::UnbindOk{});
      peer.send(
          1, amqp::exchange::Unbind{.destination = name, .source = exchange, .routing_key = "k"});
      peer.expect(1, amqp::exchange::UnbindOk{});
    }
  }
}

TEST_CASE("line feeds and carriage returns are taken out of the names of queues and exchanges") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(1, amqp::queue::Declare{.queue = "a\nb\r"});
  CHECK(peer.expect_any<amqp::queue::DeclareOk>(1).queue == "ab");
  peer.send(1, amqp::exchange::Declare{.exchange = "x\r\ny", .type = "direct"});
  peer.expect(1, amqp::exchange::DeclareOk{});
  peer.send(1, amqp::queue::Bind{.queue = "\nab", .exchange = "x\ny", .routing_key = "k"});
  peer.expect(1, amqp::queue::BindOk{});
  peer.publish(1, "xy", "k", "m");
  CHECK(peer.drain("ab") == "m");
  peer.send(1, amqp::queue::Delete{.queue = "ab\n"});
  peer.expect(1, amqp::queue::DeleteOk{});
  CHECK(broker.engine.queue_count() == 0);
}

TEST_CASE("close-ok tells a client that what it published is safe, confirms or not") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q", true);
  broker.journal.hold();
  SUBCASE("of a channel") {
    peer.publish(1, "", "q", "m", {.delivery_mode = std::uint8_t{2}});
    peer.send(1, amqp::channel::Close{});
    peer.expect_nothing();
    broker.journal.release();
    peer.session.log_advanced();
    peer.expect(1, amqp::channel::CloseOk{});
  }
  SUBCASE("of a connection, also for channels that are closed already") {
    peer.publish(1, "", "q", "m", {.delivery_mode = std::uint8_t{2}});
    peer.send(1, amqp::channel::Close{});
    peer.send(0, amqp::connection::Close{.reply_code = 200});
    peer.expect_nothing();
    CHECK_FALSE(peer.session.finished());
    CHECK(peer.session.awaits_log());
    broker.journal.release();
    peer.session.log_advanced();
    peer.expect(0, amqp::connection::CloseOk{});
    CHECK(peer.session.finished());
    CHECK(peer.session.closed_by_client());
  }
  SUBCASE("of a connection, whatever the client sends after its close") {
    peer.publish(1, "", "q", "m", {.delivery_mode = std::uint8_t{2}});
    peer.send(0, amqp::connection::Close{.reply_code = 200});
    peer.session.receive("not a frame at all", broker.now);
    peer.expect_nothing();
    broker.journal.release();
    peer.session.log_advanced();
    peer.expect(0, amqp::connection::CloseOk{});
  }
  SUBCASE("who published nothing does not wait") {
    SessionPeer other(broker);
    other.open();
    other.send(1, amqp::channel::Close{});
    other.expect(1, amqp::channel::CloseOk{});
    other.send(0, amqp::connection::Close{.reply_code = 200});
    other.expect(0, amqp::connection::CloseOk{});
  }
}
