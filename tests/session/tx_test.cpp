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
    peer.declare("q", true);
  }
  void select() {
    peer.send(1, amqp::tx::Select{});
    peer.expect(1, amqp::tx::SelectOk{});
  }
  void commit() {
    peer.send(1, amqp::tx::Commit{});
    peer.expect(1, amqp::tx::CommitOk{});
  }
  void rollback() {
    peer.send(1, amqp::tx::Rollback{});
    peer.expect(1, amqp::tx::RollbackOk{});
  }
  // The number of ready messages, requested on another channel.
  std::uint32_t ready() {
    if (!second_open_) {
      peer.send(2, amqp::channel::Open{});
      peer.expect(2, amqp::channel::OpenOk{});
      second_open_ = true;
    }
    peer.send(2, amqp::queue::Declare{.queue = "q", .passive = true});
    return peer.expect_any<amqp::queue::DeclareOk>(2).message_count;
  }
  bool second_open_ = false;
};
}  // namespace

TEST_CASE_FIXTURE(Fixture, "what is published shows after the commit, in order, or never") {
  select();
  peer.publish(1, "", "q", "1");
  peer.publish(1, "", "q", "2");
  CHECK(ready() == 0);
  commit();
  CHECK(ready() == 2);
  peer.publish(1, "", "q", "3");
  rollback();
  commit();
  CHECK(peer.drain("q") == "1 2");
}

TEST_CASE_FIXTURE(Fixture,
                  "acknowledgements count after the commit, and are undone by a rollback") {
  for (const char* body : {"1", "2", "3"})
    peer.publish(1, "", "q", body);
  select();
  for (int i = 0; i < 3; ++i)
    CHECK(peer.get("q", false));
  peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
  peer.send(1, amqp::basic::Nack{.delivery_tag = 3, .multiple = true, .requeue = true});
  CHECK(ready() == 0);
  SUBCASE("commit") {
    commit();
    CHECK(peer.drain("q") == "2 3");
    commit();
    CHECK(peer.drain("q") == "");
  }
  SUBCASE("rollback: unacknowledged again, with the same tags") {
    rollback();
    CHECK(ready() == 0);
    peer.send(1, amqp::basic::Ack{.delivery_tag = 2});
    commit();
    peer.send(1, amqp::basic::Recover{.requeue = true});
    peer.expect(1, amqp::basic::RecoverOk{});
    CHECK(peer.drain("q") == "1 3");
  }
  SUBCASE("the channel closes: all comes back") {
    peer.send(1, amqp::channel::Close{});
    peer.expect(1, amqp::channel::CloseOk{});
    CHECK(ready() == 3);
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "a tag that is unknown, or settled in the transaction, is refused at once") {
  peer.publish(1, "", "q", "1");
  select();
  peer.get("q", false);
  peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
  peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
  peer.expect_close(1, 406, "unknown delivery tag 1");
}

TEST_CASE_FIXTURE(Fixture, "prefetch counts what is settled only with the commit") {
  for (const char* body : {"1", "2"})
    peer.publish(1, "", "q", body);
  select();
  peer.send(1, amqp::basic::Qos{.prefetch_count = 1});
  peer.expect(1, amqp::basic::QosOk{});
  peer.consume("q", "c");
  CHECK(peer.deliveries(1) == "1");
  peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
  peer.expect_nothing();
  peer.send(1, amqp::tx::Commit{});
  CHECK(peer.expect_delivery(1).body == "2");
  peer.expect(1, amqp::tx::CommitOk{});
}

TEST_CASE_FIXTURE(Fixture, "commit-ok waits for the disk, and all of it is one group") {
  select();
  broker.journal.hold();
  const int before = broker.journal.groups;
  for (const char* body : {"1", "2"})
    peer.publish(1, "", "q", body, {.delivery_mode = std::uint8_t{2}});
  peer.send(1, amqp::tx::Commit{});
  CHECK(broker.journal.groups == before + 1);
  peer.expect_nothing();
  broker.journal.release();
  peer.session.log_advanced();
  peer.expect(1, amqp::tx::CommitOk{});
}

TEST_CASE_FIXTURE(Fixture, "unroutable: a missing exchange at once, no queue with the commit") {
  select();
  SUBCASE("missing exchange") {
    peer.publish(1, "nowhere", "k", "m");
    peer.expect_close(1, 404, "no exchange 'nowhere'");
  }
  SUBCASE("mandatory") {
    peer.publish(1, "", "none", "m", {}, true);
    peer.expect_nothing();
    peer.send(1, amqp::tx::Commit{});
    CHECK(peer.expect_any<amqp::basic::Return>(1).reply_code == 312);
    test::Received returned;
    peer.take_content(returned);
    CHECK(returned.body == "m");
    peer.expect(1, amqp::tx::CommitOk{});
  }
}

TEST_CASE_FIXTURE(Fixture, "a commit that would be too much for one step is refused as a whole") {
  peer.send(1, amqp::exchange::Declare{.exchange = "x", .type = "fanout"});
  peer.expect(1, amqp::exchange::DeclareOk{});
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "q" + std::to_string(i);
    peer.declare(name);
    peer.send(1, amqp::queue::Bind{.queue = name, .exchange = "x"});
    peer.expect(1, amqp::queue::BindOk{});
  }
  const auto memory = broker.engine.memory_bytes();
  select();
  for (int i = 0; i < 300; ++i)
    peer.publish(1, "x", "", "m");
  peer.publish(1, "", "q", "m");
  peer.send(1, amqp::tx::Commit{});
  peer.expect_close(1, 406, "too many queues");
  CHECK(ready() == 0);
  CHECK(broker.engine.memory_bytes() == memory);
}

TEST_CASE_FIXTURE(Fixture, "what does not go together is a 406") {
  SUBCASE("commit without select") {
    peer.send(1, amqp::tx::Commit{});
    peer.expect_close(1, 406, "not transactional");
  }
  SUBCASE("rollback without select") {
    peer.send(1, amqp::tx::Rollback{});
    peer.expect_close(1, 406, "not transactional");
  }
  SUBCASE("confirms in a transaction") {
    select();
    select();
    peer.send(1, amqp::confirm::Select{});
    peer.expect_close(1, 406, "cannot switch from tx to confirm");
  }
  SUBCASE("a transaction with confirms") {
    peer.send(1, amqp::confirm::Select{});
    peer.expect(1, amqp::confirm::SelectOk{});
    peer.send(1, amqp::tx::Select{});
    peer.expect_close(1, 406, "cannot switch from confirm to tx");
  }
  SUBCASE("more than one transaction may hold") {
    broker.settings.transaction_max_bytes = 400;
    select();
    peer.publish(1, "", "q", std::string(60, 'x'));
    peer.expect_nothing();
    peer.publish(1, "", "q", std::string(260, 'x'));
    peer.expect_close(1, 406, "larger than the maximum of 400 bytes");
    CHECK(broker.engine.memory_bytes() == 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "a transaction that the disk has no room for is refused") {
  select();
  for (int i = 0; i < 3; ++i)
    peer.publish(1, "", "q", std::string(1'000'000, 'x'));
  broker.disk_room = 3'100'000;
  SUBCASE("it has") {
    commit();
    CHECK(ready() == 3);
  }
  SUBCASE("it has not") {
    broker.disk_room = 3'000'000;
    peer.send(1, amqp::tx::Commit{});
    peer.expect_close(1, 406, "transaction not committed: the disk has no room for 3000");
    CHECK(ready() == 0);
  }
}
