#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

TEST_CASE("consume-ok comes before the first delivery") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.publish(1, "", "q", "waiting");
  peer.consume("q", "c");
  const test::Received received = peer.expect_delivery(1);
  CHECK(received.consumer_tag == "c");
  CHECK(received.delivery_tag == 1);
  CHECK_FALSE(received.redelivered);
  CHECK(received.body == "waiting");
}

TEST_CASE("two workers take turns: 1, 3, 5 and 2, 4") {
  TestBroker broker;
  SessionPeer first(broker);
  SessionPeer second(broker);
  SessionPeer producer(broker);
  for (SessionPeer* peer : {&first, &second, &producer})
    peer->open();
  producer.declare("task_queue", true);
  first.consume("task_queue", "w");
  second.consume("task_queue", "w");
  for (const char* task : {"1", "2", "3", "4", "5"})
    producer.publish(1, "", "task_queue", task);
  CHECK(first.deliveries(1) == "1 3 5");
  CHECK(second.deliveries(1) == "2 4");
}

TEST_CASE("with prefetch 1 a busy worker gets nothing more while another is free") {
  TestBroker broker;
  SessionPeer busy(broker);
  SessionPeer quick(broker);
  for (SessionPeer* peer : {&busy, &quick}) {
    peer->open();
    peer->declare("q");
    peer->send(1, amqp::basic::Qos{.prefetch_count = 1});
    peer->expect(1, amqp::basic::QosOk{});
    peer->consume("q", "w");
  }
  for (const char* task : {"1", "2", "3", "4"})
    busy.publish(1, "", "q", task);
  CHECK(busy.deliveries(1) == "1");
  CHECK(quick.deliveries(1) == "2");
  quick.send(1, amqp::basic::Ack{.delivery_tag = 1});
  CHECK(quick.deliveries(1) == "3");
  quick.send(1, amqp::basic::Ack{.delivery_tag = 2});
  CHECK(quick.deliveries(1) == "4");
  busy.expect_nothing();
}

TEST_CASE("what a worker held goes to another at once when it dies, in order and redelivered") {
  TestBroker broker;
  SessionPeer survivor(broker);
  survivor.open();
  survivor.declare("q");
  {
    SessionPeer victim(broker);
    victim.open();
    victim.consume("q", "v");
    for (const char* task : {"1", "2", "3"})
      survivor.publish(1, "", "q", task);
    survivor.consume("q", "s");
    victim.send(1, amqp::basic::Ack{.delivery_tag = 2});
    survivor.expect_nothing();
    victim.session.disconnected();
  }
  for (const char* task : {"1", "3"}) {
    const test::Received received = survivor.expect_delivery(1);
    CHECK(received.body == task);
    CHECK(received.redelivered);
  }
  survivor.expect_nothing();
}

TEST_CASE("with no_ack delivery removes") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.consume("q", "c", true);
  peer.publish(1, "", "q", "once");
  CHECK(peer.deliveries(1) == "once");
  peer.session.disconnected();
  SessionPeer next(broker);
  next.open();
  next.consume("q", "c");
  next.expect_nothing();
}

TEST_CASE("nothing is delivered after cancel-ok, and what is unacked stays so") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.consume("q", "c");
  peer.publish(1, "", "q", "held");
  CHECK(peer.deliveries(1) == "held");
  peer.send(1, amqp::basic::Cancel{.consumer_tag = "c"});
  peer.expect(1, amqp::basic::CancelOk{.consumer_tag = "c"});
  peer.publish(1, "", "q", "kept");
  peer.send(1, amqp::basic::Cancel{.consumer_tag = "never was"});
  peer.expect(1, amqp::basic::CancelOk{.consumer_tag = "never was"});
  peer.send(1, amqp::basic::Get{.queue = "q"});
  CHECK(peer.expect_any<amqp::basic::GetOk>(1).delivery_tag == 2);
  test::Received got;
  peer.take_content(got);
  CHECK(got.body == "kept");
  peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
  peer.expect_nothing();
}

TEST_CASE("get takes one message, or says that there is none") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.publish(1, "", "q", "a");
  peer.publish(1, "", "q", "b");
  peer.send(1, amqp::basic::Get{.queue = "q"});
  const auto ok = peer.expect_any<amqp::basic::GetOk>(1);
  CHECK(ok.delivery_tag == 1);
  CHECK(ok.message_count == 1);
  CHECK(ok.routing_key == "q");
  test::Received got;
  peer.take_content(got);
  CHECK(got.body == "a");
  peer.send(1, amqp::basic::Get{.queue = "q", .no_ack = true});
  CHECK(peer.expect_any<amqp::basic::GetOk>(1).message_count == 0);
  peer.take_content(got);
  peer.send(1, amqp::basic::Get{.queue = "q"});
  peer.expect(1, amqp::basic::GetEmpty{});
  peer.send(1, amqp::basic::Get{.queue = "absent"});
  peer.expect_close(1, 404, "no queue 'absent'");
}

TEST_CASE("a rejected message comes back marked, or goes") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.consume("q", "c");
  peer.publish(1, "", "q", "m");
  peer.expect_delivery(1);
  peer.send(1, amqp::basic::Reject{.delivery_tag = 1, .requeue = true});
  const test::Received again = peer.expect_delivery(1);
  CHECK(again.redelivered);
  CHECK(again.delivery_tag == 2);
  peer.send(1, amqp::basic::Nack{.delivery_tag = 2, .requeue = true});
  CHECK(peer.expect_delivery(1).delivery_tag == 3);
  peer.send(1, amqp::basic::Nack{.delivery_tag = 0, .multiple = true, .requeue = false});
  peer.expect_nothing();
  peer.send(1, amqp::basic::Recover{.requeue = true});
  peer.expect(1, amqp::basic::RecoverOk{});
  peer.expect_nothing();
}

TEST_CASE("an unknown or repeated delivery tag is a 406 that names it") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  SUBCASE("unknown") {
    peer.send(1, amqp::basic::Ack{.delivery_tag = 7});
    peer.expect_close(1, 406, "unknown delivery tag 7");
  }
  SUBCASE("repeated") {
    peer.declare("q");
    peer.consume("q", "c");
    peer.publish(1, "", "q", "m");
    peer.expect_delivery(1);
    peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
    peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
    peer.expect_close(1, 406, "unknown delivery tag 1");
  }
}

TEST_CASE("who consumes what") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  SUBCASE("a missing queue is a 404") {
    peer.send(1, amqp::basic::Consume{.queue = "absent"});
    peer.expect_close(1, 404, "absent");
  }
  SUBCASE("a tag in use is a 530") {
    peer.declare("q");
    peer.consume("q", "c");
    peer.send(1, amqp::basic::Consume{.queue = "q", .consumer_tag = "c"});
    peer.expect_close(0, 530, "consumer tag 'c'");
  }
  SUBCASE("an exclusive consumer stays alone: 403") {
    peer.declare("q");
    peer.send(1, amqp::basic::Consume{.queue = "q", .consumer_tag = "c", .exclusive = true});
    peer.expect(1, amqp::basic::ConsumeOk{.consumer_tag = "c"});
    peer.send(1, amqp::basic::Consume{.queue = "q", .consumer_tag = "d"});
    peer.expect_close(1, 403, "exclusive use");
  }
  SUBCASE("without a tag one is made") {
    peer.declare("q");
    peer.send(1, amqp::basic::Consume{.queue = "q"});
    peer.expect(1, amqp::basic::ConsumeOk{.consumer_tag = "amq.ctag-unique-1"});
  }
}

TEST_CASE("a consumer is told when its queue is deleted") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.consume("q", "c");
  peer.send(1, amqp::queue::Delete{.queue = "q"});
  peer.expect(1, amqp::basic::Cancel{.consumer_tag = "c", .no_wait = true});
  peer.expect(1, amqp::queue::DeleteOk{});
}

TEST_CASE("a consumer whose connection does not drain is passed over until it does") {
  TestBroker broker;
  broker.settings.output_max_bytes = 1000;
  SessionPeer slow(broker);
  SessionPeer producer(broker);
  slow.open();
  producer.open();
  producer.declare("q");
  slow.consume("q", "c", true);
  for (int i = 0; i < 20; ++i)
    producer.publish(1, "", "q", std::string(200, 'x'));
  CHECK(slow.session.output_size() > 1000);
  CHECK(slow.session.output_size() < 1500);
  slow.session.output_sent(slow.session.output_size(), broker.now);
  CHECK(slow.session.has_output());
  std::size_t count = 4;
  while (!slow.output().empty()) {
    slow.expect_delivery(1);
    ++count;
  }
  CHECK(count == 20);
}

TEST_CASE("qos(global=false) of py-amqp is for the channel, as its users expect of other brokers") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.product = "py-amqp";
  SUBCASE("of a broker with another name") {}
  SUBCASE("but not of one called RabbitMQ") {
    broker.settings.product = "RabbitMQ";
  }
  peer.open();
  peer.declare("q");
  peer.send(1, amqp::basic::Qos{.prefetch_count = 1});
  peer.expect(1, amqp::basic::QosOk{});
  peer.consume("q", "c");
  for (const char* body : {"1", "2"})
    peer.publish(1, "", "q", body);
  CHECK(peer.deliveries(1) == "1");
  peer.send(1, amqp::basic::Qos{.prefetch_count = 2});
  const bool is_rabbitmq = broker.settings.product == "RabbitMQ";
  if (is_rabbitmq) {
    peer.expect(1, amqp::basic::QosOk{});
    peer.expect_nothing();
  } else {
    CHECK(peer.expect_delivery(1).body == "2");
    peer.expect(1, amqp::basic::QosOk{});
  }
}

TEST_CASE(
    "what one channel of a lost connection gives back does not go to another of its channels") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.publish(1, "", "q", "m");
  CHECK(peer.get("q", false)->body == "m");
  peer.send(2, amqp::channel::Open{});
  peer.expect(2, amqp::channel::OpenOk{});
  peer.send(2, amqp::basic::Consume{.queue = "q", .consumer_tag = "c", .no_ack = true});
  peer.expect(2, amqp::basic::ConsumeOk{.consumer_tag = "c"});
  peer.session.disconnected();
  SessionPeer other(broker);
  other.open();
  CHECK(other.drain("q") == "m");
}
