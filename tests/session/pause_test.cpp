// What the server's loop must do next: read or not, and until when. The table in
// docs/architecture.md, "Pausing", has the cases.
#include "support/session_peer.hpp"

using namespace haypile;
using session::Pause;
using test::SessionPeer;
using test::TestBroker;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view heartbeat("\x08\x00\x00\x00\x00\x00\x00\xce", 8);

struct Fixture {
  TestBroker broker;
  SessionPeer peer{broker};

  void open(std::uint16_t heartbeat_s) {
    peer.open_connection(heartbeat_s);
    peer.send(1, amqp::channel::Open{});
    peer.expect(1, amqp::channel::OpenOk{});
  }
  void fill(std::string_view queue, int count, std::size_t size) {
    peer.declare(queue);
    for (int i = 0; i < count; ++i)
      peer.publish(1, "", queue, std::string(size, 'x'));
  }
  void pass(session::Time::duration duration) {
    broker.now += duration;
    peer.session.tick(broker.now);
  }
  // The method and the header of a message, and the first part of its body.
  std::string beginning(std::uint16_t channel, std::uint64_t size, std::size_t part = 10) {
    std::string bytes;
    amqp::append_method(bytes, channel, amqp::basic::Publish{.routing_key = "q"});
    amqp::append_content_header(bytes, channel, 60, size, std::string_view("\0\0", 2));
    amqp::append_frame(bytes, amqp::FrameType::body, channel, std::string(part, 'x'));
    return bytes;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "heartbeats are heard however much waits to be sent") {
  open(10);
  fill("q", 20, 2u << 20);
  peer.start_consuming("q", "c");
  CHECK(peer.session.output_size() > 2u << 20);
  for (int i = 0; i < 40; ++i) {  // the socket takes nothing
    CHECK(peer.session.pause() == Pause::none);
    peer.send_bytes(heartbeat);
    pass(5s);
  }
  CHECK_FALSE(peer.session.finished());
  pass(20s);
  CHECK(peer.session.finished());
  CHECK(peer.session.reason() == "two heartbeats missed");
}

TEST_CASE_FIXTURE(Fixture, "a client that takes what it is sent is alive, though it says nothing") {
  open(10);
  fill("q", 1, 1u << 20);
  peer.start_consuming("q", "c");
  for (int i = 0; i < 20; ++i) {
    CHECK(peer.write(10'000).size() == 10'000);
    pass(15s);
  }
  CHECK_FALSE(peer.session.finished());
  pass(20s);
  CHECK(peer.session.reason() == "two heartbeats missed");
}

TEST_CASE_FIXTURE(Fixture, "what a socket with room takes is no sign of life") {
  open(10);
  for (int i = 0; i < 4 && !peer.session.finished(); ++i) {
    pass(5s);  // our own heartbeats are sent, to nobody
    peer.output();
  }
  CHECK(peer.session.reason() == "two heartbeats missed");
}

TEST_CASE_FIXTURE(Fixture, "a worker may publish its result before it reads on") {
  open(0);
  peer.declare("results");
  fill("q", 20, 2u << 20);
  peer.send(1, amqp::basic::Qos{.prefetch_count = 8});
  peer.expect(1, amqp::basic::QosOk{});
  peer.consume("q", "c");
  for (std::uint64_t job = 1; job <= 12; ++job) {
    peer.publish(1, "", "results", std::string(2u << 20, 'r'));
    CHECK(peer.session.pause() == Pause::none);
    peer.send(1, amqp::basic::Ack{.delivery_tag = job});
    CHECK(peer.expect_delivery(1).delivery_tag == job);
  }
}

TEST_CASE_FIXTURE(Fixture, "returns that are not read are taken, up to 32 MiB") {
  open(0);
  std::size_t count = 0;
  for (; peer.session.pause() == Pause::none; ++count)
    peer.publish(1, "", "nowhere", std::string(1000, 'x'), {}, true);
  CHECK(count > 30'000);
  CHECK(count < 33'000);
  CHECK(peer.session.pause() == Pause::unread);
  CHECK_FALSE(peer.session.try_to_resume(broker.now));
  peer.write(20u << 20);
  CHECK(peer.session.try_to_resume(broker.now));
  CHECK(peer.session.pause() == Pause::none);
}

TEST_CASE_FIXTURE(Fixture, "whoever asks for too much and does not read it is closed") {
  broker.settings.replies_max_bytes = 100'000;
  std::uint16_t heartbeat_s = 0;
  SUBCASE("after a minute without heartbeats") {}
  SUBCASE("or after two heartbeats") {
    heartbeat_s = 10;
  }
  open(heartbeat_s);
  const auto patience = heartbeat_s == 0 ? 60s : 20s;
  fill("q", 1, 50'000);
  std::string bytes;
  for (std::uint64_t tag = 1; tag <= 100; ++tag) {
    amqp::append_method(bytes, 1, amqp::basic::Get{.queue = "q"});
    amqp::append_method(bytes, 1, amqp::basic::Reject{.delivery_tag = tag, .requeue = true});
  }
  peer.send_bytes(bytes);
  REQUIRE(peer.session.pause() == Pause::unread);
  CHECK(peer.session.output_size() < 200'000);
  pass(patience - 1s);
  peer.write(10);
  pass(patience - 1s);
  CHECK_FALSE(peer.session.finished());
  pass(1s);
  REQUIRE(peer.session.finished());
  CHECK(peer.session.reason().find("does not read") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "all that was asked for is answered when the client reads again") {
  broker.settings.replies_max_bytes = 1u << 20;
  open(0);
  fill("q", 1, 100u << 10);
  std::string bytes;
  for (std::uint64_t tag = 1; tag <= 1000; ++tag) {
    amqp::append_method(bytes, 1, amqp::basic::Get{.queue = "q"});
    amqp::append_method(bytes, 1, amqp::basic::Reject{.delivery_tag = tag, .requeue = true});
  }
  peer.send_bytes(bytes);
  std::size_t rounds = 0;
  for (; peer.session.pause() == Pause::unread; ++rounds) {
    CHECK(peer.session.output_size() < 2u << 20);
    peer.session.output_sent(peer.session.output_size(), broker.now);
    REQUIRE(peer.session.try_to_resume(broker.now));
    peer.send_bytes({});
  }
  CHECK(rounds > 10);
}

TEST_CASE_FIXTURE(Fixture, "replies that wait for the disk count, for all channels together") {
  broker.settings.replies_max_bytes = 1u << 20;
  open(1);
  fill("q", 1, 100u << 10);
  broker.journal.hold();
  std::size_t count = 0;
  for (std::uint16_t channel = 2; peer.session.pause() == Pause::none; ++channel, ++count) {
    peer.send(channel, amqp::channel::Open{});
    peer.send(channel, amqp::exchange::Declare{
                           .exchange = std::to_string(channel), .type = "fanout", .durable = true});
    peer.send(channel, amqp::basic::Get{.queue = "q"});
    peer.send(channel, amqp::basic::Reject{.delivery_tag = 1, .requeue = true});
    REQUIRE(count < 20);
  }
  CHECK(count > 8);
  CHECK(broker.memory.bytes() < 200u << 10);  // the message is there once
  peer.output();
  pass(60s);  // a slow disk is not the client's fault
  CHECK_FALSE(peer.session.finished());
  broker.journal.release();
  peer.session.log_advanced();
  peer.output();
  CHECK(peer.session.try_to_resume(broker.now));
}

TEST_CASE_FIXTURE(Fixture, "when much waits in all, each connection gets a little more only") {
  broker.memory = session::SessionMemory(10u << 20);
  open(0);
  fill("q", 40, 200'000);
  SessionPeer other(broker);
  other.open();
  peer.start_consuming("q", "c");
  other.start_consuming("q", "c");
  const std::size_t one = std::size_t{3} * 200'000;  // half a MiB, in messages
  CHECK(peer.session.output_size() >= one);
  CHECK(other.session.output_size() >= one);
  SessionPeer third(broker);
  third.open();
  third.declare("small");
  for (int i = 0; i < 300; ++i)
    third.publish(1, "", "small", std::string(1000, 'x'));
  broker.memory.add_output(10u << 20, 0);
  third.start_consuming("small", "c", true);
  CHECK(third.session.output_size() > 64u << 10);
  CHECK(third.session.output_size() < 68u << 10);
  third.expect(1, amqp::basic::ConsumeOk{.consumer_tag = "c"});
  int count = 0;
  while (!third.output().empty()) {
    third.expect_delivery(1);
    ++count;
  }
  CHECK(count == 300);
  broker.memory.add_output(0, 10u << 20);
}

TEST_CASE_FIXTURE(Fixture, "messages that have begun have room on a connection up to a bound") {
  broker.memory = session::SessionMemory(256u << 20);
  open(0);
  for (std::uint16_t channel = 2; channel <= 4; ++channel) {
    peer.send(channel, amqp::channel::Open{});
    peer.expect(channel, amqp::channel::OpenOk{});
  }
  peer.declare("q");
  peer.send_bytes(beginning(1, 16u << 20));
  CHECK(peer.session.pause() == Pause::none);
  CHECK(broker.engine.memory_bytes() > 16u << 20);
  peer.send_bytes(beginning(2, 8u << 20));
  CHECK(peer.session.pause() == Pause::room);
  SUBCASE("others do not wait for it") {
    SessionPeer other(broker);
    other.open();
    other.publish(1, "", "q", std::string(1u << 20, 'x'));
    CHECK(other.session.pause() == Pause::none);
    CHECK(other.get("q")->body.size() == 1u << 20);
  }
  SUBCASE("that cannot end: the connection does") {
    pass(59s);
    CHECK_FALSE(peer.session.finished());
    pass(1s);
    REQUIRE(peer.session.finished());
    CHECK(peer.session.reason().find("set aside") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(Fixture, "a message that has begun can be finished, whatever else there is") {
  open(0);
  peer.declare("q");
  peer.send_bytes(beginning(1, 10'000, 4000));
  broker.publishers_must_wait = true;
  std::string bytes;
  amqp::append_body_frames(bytes, 1, std::string(6000, 'y'), 4096);
  peer.send_bytes(bytes);
  CHECK(peer.session.pause() == Pause::none);
  CHECK(peer.get("q")->body == std::string(4000, 'x') + std::string(6000, 'y'));
  CHECK(broker.memory.unfinished_bytes() == 0);
  peer.send_bytes(beginning(1, 10'000, 4000));
  CHECK(peer.session.pause() == Pause::alarm);
}

TEST_CASE_FIXTURE(Fixture, "a message of which nothing more comes ends its connection") {
  open(10);
  peer.declare("q");
  peer.send_bytes(beginning(1, 10'000));
  for (int i = 0; i < 11; ++i) {
    pass(5s);
    peer.send_bytes(heartbeat);
  }
  std::string part;
  amqp::append_frame(part, amqp::FrameType::body, 1, "more");
  peer.send_bytes(part);
  for (int i = 0; i < 11; ++i) {
    pass(5s);
    peer.send_bytes(heartbeat);
  }
  CHECK_FALSE(peer.session.finished());
  pass(5s);
  pass(5s);
  REQUIRE(peer.session.finished());
  CHECK(peer.session.reason().find("channel 1 was begun") != std::string::npos);
  CHECK(broker.engine.memory_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a transaction's limit is one for all channels of a connection") {
  broker.settings.transaction_max_bytes = 10'000;
  open(0);
  for (std::uint16_t channel = 2; channel <= 3; ++channel) {
    peer.send(channel, amqp::channel::Open{});
    peer.expect(channel, amqp::channel::OpenOk{});
  }
  for (std::uint16_t channel = 1; channel <= 3; ++channel) {
    peer.send(channel, amqp::tx::Select{});
    peer.expect(channel, amqp::tx::SelectOk{});
  }
  peer.publish(1, "", "q", std::string(4000, 'x'));
  peer.publish(2, "", "q", std::string(4000, 'x'));
  peer.expect_nothing();
  peer.publish(3, "", "q", std::string(4000, 'x'));
  peer.expect_close(3, 406, "10000");
  CHECK(broker.memory.transaction_bytes() < 10'000);
  peer.send(1, amqp::tx::Rollback{});
  peer.expect(1, amqp::tx::RollbackOk{});
  peer.send(2, amqp::channel::Close{});
  peer.expect_any<amqp::channel::CloseOk>(2);
  CHECK(broker.memory.transaction_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "whose share of the turn is used up goes on in the next one") {
  open(0);
  peer.declare("q");
  broker.engine.work().begin_turn(0);
  broker.engine.work().spend(engine::WorkBudget::units_per_turn - 1);
  std::string bytes;
  for (int i = 0; i < 3; ++i)
    amqp::append_method(bytes, 1, amqp::basic::Qos{});
  peer.send_bytes(bytes);
  CHECK(peer.session.pause() == Pause::none);
  broker.engine.work().spend(1);
  for (int turn = 0; turn < 3; ++turn) {
    peer.output().clear();
    peer.send_bytes(turn == 0 ? bytes : "");
    CHECK(peer.session.pause() == Pause::turn);
    peer.expect(1, amqp::basic::QosOk{});
    peer.expect_nothing();
  }
  broker.engine.work().begin_turn(0);
  peer.send_bytes({});
  CHECK(peer.session.pause() == Pause::none);
}

TEST_CASE_FIXTURE(Fixture, "a purge of very many goes on in the next turn, and is answered once") {
  open(0);
  peer.declare("q");
  const std::size_t count = engine::WorkBudget::units_per_turn + 1;
  for (std::size_t i = 0; i < count; ++i)
    peer.publish(1, "", "q", "m");
  std::string bytes;
  amqp::append_method(bytes, 1, amqp::queue::Purge{.queue = "q"});
  amqp::append_method(bytes, 1, amqp::basic::Qos{});
  peer.send_bytes(bytes);
  CHECK(peer.session.pause() == Pause::turn);
  peer.expect_nothing();
  peer.send_bytes({});
  CHECK(peer.session.pause() == Pause::none);
  peer.expect(1, amqp::queue::PurgeOk{.message_count = static_cast<std::uint32_t>(count)});
  peer.expect(1, amqp::basic::QosOk{});
}

TEST_CASE_FIXTURE(Fixture, "a login may be answered later, and nobody reads on until then") {
  broker.answers_logins_later = true;
  peer.send_bytes(amqp::protocol_header);
  peer.expect_any<amqp::connection::Start>(0);
  std::string bytes;
  const amqp::Table capabilities{{"authentication_failure_close", true}};
  const amqp::Table properties{{"capabilities", capabilities}};
  amqp::append_method(bytes, 0,
                      amqp::connection::StartOk{.client_properties = properties.view(),
                                                .mechanism = "PLAIN",
                                                .response = std::string_view("\0guest\0guest", 12),
                                                .locale = "en_US"});
  amqp::append_method(
      bytes, 0, amqp::connection::TuneOk{.channel_max = 1, .frame_max = 4096, .heartbeat = 0});
  amqp::append_method(bytes, 0, amqp::connection::Open{.virtual_host = "/"});
  peer.send_bytes(bytes);
  CHECK(peer.session.pause() == Pause::login);
  peer.expect_nothing();
  SUBCASE("accepted") {
    peer.session.login_answered(true, broker.now);
    CHECK(peer.session.pause() == Pause::none);
    peer.expect_any<amqp::connection::Tune>(0);
    peer.send_bytes({});
    peer.expect(0, amqp::connection::OpenOk{});
    CHECK(peer.session.user() == "guest");
  }
  SUBCASE("refused") {
    peer.session.login_answered(false, broker.now);
    peer.expect_close(0, 403, "guest");
  }
  SUBCASE("never") {
    pass(10s);
    CHECK(peer.session.reason() == "handshake not finished in time");
  }
}

TEST_CASE_FIXTURE(Fixture, "what sessions hold is counted, and comes back") {
  {
    SessionPeer other(broker);
    const std::size_t before = broker.memory.bytes();
    other.open();
    other.declare("q");
    for (int i = 0; i < 100; ++i)
      other.publish(1, "", "nowhere", std::string(1000, 'x'), {}, true);
    CHECK(broker.memory.bytes() > before + 100'000);
    CHECK(broker.memory.output_bytes() > 100'000);
    other.output().clear();
    CHECK(broker.memory.output_bytes() == 0);
    other.send_bytes(beginning(1, 10'000));
    CHECK(broker.memory.unfinished_bytes() >= 10'000);
  }
  CHECK(broker.memory.unfinished_bytes() == 0);
  // The rest is the memory of the other session.
  CHECK(broker.memory.bytes() - broker.memory.spare_buffers().bytes() < 10'000);
}
