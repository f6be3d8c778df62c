// Alarms: who has to wait, and for how long.
#include "support/session_peer.hpp"

using namespace haypile;
using session::Pause;
using test::SessionPeer;
using test::TestBroker;

TEST_CASE("a publisher that waits is told why, if it wants to know, and once") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.wants_blocked = true;
  peer.open();
  broker.publishers_must_wait = true;
  peer.publish(1, "", "q", "m");
  CHECK(peer.session.pause() == Pause::alarm);
  peer.session.tell_blocked("low on memory");
  peer.expect(0, amqp::connection::Blocked{.reason = "low on memory"});
  peer.session.tell_blocked("low on memory");
  CHECK_FALSE(peer.session.try_to_resume(broker.now));
  peer.expect_nothing();
  broker.publishers_must_wait = false;
  CHECK(peer.session.try_to_resume(broker.now));
  peer.expect(0, amqp::connection::Unblocked{});
  CHECK_FALSE(peer.session.try_to_resume(broker.now));
  peer.expect_nothing();
}

TEST_CASE("without the capability, or a reason to tell, nothing is said") {
  TestBroker broker;
  SessionPeer peer(broker);
  SUBCASE("no capability") {
    peer.open();
    peer.session.tell_blocked("low on memory");
  }
  SUBCASE("no reason") {
    peer.wants_blocked = true;
    peer.open();
    peer.session.tell_blocked("");
  }
  peer.session.try_to_resume(broker.now);
  peer.expect_nothing();
}

TEST_CASE("during an alarm a connection is read up to the first message it would publish") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  for (const char* body : {"1", "2"})
    peer.publish(1, "", "q", body);
  peer.consume("q", "c");
  CHECK(peer.deliveries(1) == "1 2");
  peer.send(1, amqp::basic::Ack{.delivery_tag = 2, .multiple = true});
  broker.publishers_must_wait = true;
  std::string bytes;
  amqp::append_method(bytes, 1, amqp::queue::Declare{.queue = "q", .passive = true});
  amqp::append_method(bytes, 1, amqp::queue::Declare{.queue = "q"});
  amqp::append_heartbeat(bytes);
  amqp::append_method(bytes, 1, amqp::basic::Consume{.queue = "q", .consumer_tag = "d"});
  amqp::append_message(bytes, 1, amqp::basic::Publish{.routing_key = "q"},
                       std::string_view("\0\0", 2), "3", 4096);
  amqp::append_method(bytes, 1, amqp::basic::Qos{});
  peer.send_bytes(bytes);
  CHECK(peer.session.pause() == Pause::alarm);
  peer.expect_any<amqp::queue::DeclareOk>(1);
  peer.expect_any<amqp::queue::DeclareOk>(1);
  peer.expect(1, amqp::basic::ConsumeOk{.consumer_tag = "d"});
  peer.expect_nothing();
  broker.publishers_must_wait = false;
  REQUIRE(peer.session.try_to_resume(broker.now));
  peer.send_bytes({});
  CHECK(peer.session.pause() == Pause::none);
  CHECK(peer.expect_delivery(1).body == "3");
  peer.expect(1, amqp::basic::QosOk{});
}

TEST_CASE("while nothing is read from it a silent client is not given up") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open_connection(10);
  peer.send(1, amqp::channel::Open{});
  peer.expect(1, amqp::channel::OpenOk{});
  broker.publishers_must_wait = true;
  peer.publish(1, "", "q", "m");
  for (int i = 0; i < 10; ++i) {
    broker.now += std::chrono::seconds(5);
    peer.session.tick(broker.now);
  }
  CHECK_FALSE(peer.session.finished());
  broker.publishers_must_wait = false;
  CHECK(peer.session.try_to_resume(broker.now));
  broker.now += std::chrono::seconds(19);
  peer.session.tick(broker.now);
  CHECK_FALSE(peer.session.finished());
  broker.now += std::chrono::seconds(1);
  peer.session.tick(broker.now);
  CHECK(peer.session.finished());
}

TEST_CASE("declarers wait like publishers, but for a little that a consumer may need") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  broker.publishers_must_wait = true;
  peer.declare("of a worker");
  peer.send(1, amqp::queue::Bind{.queue = "of a worker", .exchange = "amq.fanout"});
  peer.expect(1, amqp::queue::BindOk{});
  const amqp::Table large{{"note", std::string(3000, 'x')}};
  SUBCASE("a few that are large") {
    int count = 0;
    for (; peer.session.pause() == Pause::none; ++count) {
      peer.send(1, amqp::exchange::Declare{.exchange = std::to_string(count),
                                           .type = "fanout",
                                           .no_wait = true,
                                           .arguments = large.view()});
    }
    CHECK(count > 10);
    CHECK(count < 20);
  }
  SUBCASE("many small ones") {
    int count = 0;
    for (; peer.session.pause() == Pause::none; ++count)
      peer.send(1, amqp::queue::Declare{.queue = std::to_string(count), .no_wait = true});
    CHECK(count > 50);
    CHECK(count < 200);
  }
  CHECK(peer.session.pause() == Pause::alarm);
  peer.expect_nothing();
  broker.publishers_must_wait = false;
  CHECK(peer.session.try_to_resume(broker.now));
}

TEST_CASE("whoever holds unacked messages may publish as much, and more when it gives them back") {
  TestBroker broker;
  SessionPeer worker(broker);
  worker.open();
  worker.declare("jobs");
  worker.declare("results");
  const std::string body(100'000, 'x');
  for (int i = 0; i < 20; ++i)
    worker.publish(1, "", "jobs", body);
  worker.send(1, amqp::basic::Qos{.prefetch_count = 4});
  worker.expect(1, amqp::basic::QosOk{});
  worker.consume("jobs", "c");
  broker.publishers_must_wait = true;
  SUBCASE("one result a job") {
    for (int i = 0; i < 20; ++i) {
      const auto job = worker.expect_delivery(1);
      worker.publish(1, "", "results", body);
      CHECK(worker.session.pause() == Pause::none);
      worker.send(1, amqp::basic::Ack{.delivery_tag = job.delivery_tag});
    }
  }
  SUBCASE("more results than it holds jobs") {
    int count = 0;
    for (; worker.session.pause() == Pause::none; ++count)
      worker.publish(1, "", "results", body);
    CHECK(count == 6);  // four are held; one more may begin, the last one has to wait
  }
  SUBCASE("requeueing gives nothing back") {
    int count = 0;
    for (; worker.session.pause() == Pause::none; ++count) {
      const auto job = worker.expect_delivery(1);
      worker.send(1, amqp::basic::Nack{.delivery_tag = job.delivery_tag, .requeue = true});
      worker.publish(1, "", "results", body);
    }
    CHECK(count == 6);
  }
}

TEST_CASE("a transaction that is open can be brought to its end during an alarm") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.send(1, amqp::tx::Select{});
  peer.expect(1, amqp::tx::SelectOk{});
  peer.publish(1, "", "q", std::string(1000, 'x'));
  broker.publishers_must_wait = true;
  peer.publish(1, "", "q", std::string(500, 'x'));
  peer.send(1, amqp::tx::Commit{});
  peer.expect(1, amqp::tx::CommitOk{});
  peer.publish(1, "", "q", "m");
  CHECK(peer.session.pause() == Pause::alarm);
}

TEST_CASE("when the disk is full there are no exceptions, but for what gives something back") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.open(2);
  peer.declare("q");
  for (int i = 0; i < 3; ++i)
    peer.publish(1, "", "q", std::string(1000, 'x'));
  peer.consume("q", "c");
  for (int i = 0; i < 3; ++i)
    peer.expect_delivery(1);
  peer.send(2, amqp::tx::Select{});
  peer.expect(2, amqp::tx::SelectOk{});
  std::string message;
  amqp::append_message(message, 1, amqp::basic::Publish{.routing_key = "q"},
                       std::string_view("\0\0", 2), "m", 4096);
  const auto fill_disk = [&] {
    broker.publishers_must_wait = true;
    broker.disk_room = 0;
  };
  const auto find_room = [&] {
    peer.expect_nothing();
    CHECK(peer.session.pause() == Pause::alarm);
    CHECK_FALSE(peer.session.try_to_resume(broker.now));
    broker.disk_room = 1;
    CHECK(peer.session.try_to_resume(broker.now));
    peer.send_bytes("");
    CHECK(peer.session.pause() == Pause::none);
  };
  SUBCASE("what is published for what is in hand") {
    fill_disk();
    peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
    peer.send_bytes(message);
    find_room();
    CHECK(peer.expect_delivery(1).body == "m");
  }
  SUBCASE("a message that has begun") {
    constexpr std::size_t end_size = 20;
    peer.send_bytes(message.substr(0, message.size() - end_size));
    CHECK(peer.session.pause() == Pause::none);
    fill_disk();
    peer.send_bytes(message.substr(message.size() - end_size));
    find_room();
    CHECK(peer.expect_delivery(1).body == "m");
  }
  SUBCASE("a transaction of messages") {
    peer.publish(2, "", "q", "m");
    fill_disk();
    peer.send(2, amqp::tx::Commit{});
    find_room();
    CHECK(peer.expect_delivery(1).body == "m");
    peer.expect(2, amqp::tx::CommitOk{});
  }
  SUBCASE("a transaction of acknowledgements") {
    fill_disk();
    peer.send(2, amqp::tx::Commit{});
    peer.expect(2, amqp::tx::CommitOk{});
  }
  SUBCASE("something new") {
    fill_disk();
    peer.send(1, amqp::queue::Declare{.queue = "q"});
    peer.expect_any<amqp::queue::DeclareOk>(1);
    peer.send(1, amqp::queue::Declare{.queue = "new"});
    peer.expect_nothing();
    CHECK(peer.session.pause() == Pause::alarm);
  }
}

TEST_CASE("whoever gets messages without acknowledging them waits when memory is very low") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  for (int i = 0; i < 400; ++i)
    peer.publish(1, "", "q", "m");
  broker.publishers_must_wait = true;
  broker.engine.set_unacked_max({.to_consumers = 1, .to_gets = 100});
  int count = 0;
  for (; peer.session.pause() == Pause::none && count < 400; ++count)
    peer.send(1, amqp::basic::Get{.queue = "q"});
  CHECK(peer.session.pause() == Pause::alarm);
  CHECK(count > 150);  // a hundred, and a few more that every client may get
  CHECK(count < 350);
  broker.publishers_must_wait = false;
  CHECK(peer.session.try_to_resume(broker.now));
}
