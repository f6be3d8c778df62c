#include "support/session_peer.hpp"

using namespace haypile;
using namespace std::chrono_literals;
using namespace std::string_view_literals;
using test::SessionPeer;
using test::TestBroker;

namespace {

amqp::connection::StartOk login(std::string_view mechanism, amqp::LongString response,
                                amqp::TableView properties = {}) {
  return {.client_properties = properties,
          .mechanism = mechanism,
          .response = response,
          .locale = "en_US"};
}

const amqp::Table wants_to_be_told{
    {"capabilities", amqp::Table{{"authentication_failure_close", true}}}};

}  // namespace

TEST_CASE("the whole handshake, byte by byte, ends with open-ok") {
  TestBroker broker;
  SessionPeer peer(broker);
  std::string bytes(amqp::protocol_header);
  amqp::append_method(bytes, 0, login("PLAIN", std::string_view("\0guest\0guest", 12)));
  amqp::append_method(
      bytes, 0, amqp::connection::TuneOk{.channel_max = 1, .frame_max = 4096, .heartbeat = 0});
  amqp::append_method(bytes, 0, amqp::connection::Open{.virtual_host = "/"});
  for (const char byte : bytes)
    peer.send_bytes({&byte, 1});
  const auto start = peer.expect_any<amqp::connection::Start>(0);
  CHECK(start.version_major == 0);
  CHECK(start.version_minor == 9);
  CHECK(start.mechanisms == "PLAIN AMQPLAIN");
  CHECK(start.server_properties.find("product")->as_string() == "Haypile");
  peer.expect(0, amqp::connection::Tune{.channel_max = 2047, .frame_max = 131072, .heartbeat = 60});
  peer.expect(0, amqp::connection::OpenOk{});
  peer.expect_nothing();
}

TEST_CASE("another protocol is answered with ours, and that is all") {
  for (const std::string_view header :
       {"GET / HTTP/1.1\r\n"sv, "AMQP\x00\x00\x09\x00"sv, "AMQX"sv, "\x16\x03\x01"sv}) {
    TestBroker broker;
    SessionPeer peer(broker);
    peer.send_bytes(header);
    CHECK(peer.output() == amqp::protocol_header);
    CHECK(peer.session.finished());
  }
}

TEST_CASE("AMQPLAIN logs in as well") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.send_bytes(amqp::protocol_header);
  peer.expect_any<amqp::connection::Start>(0);
  const amqp::Table response{{"LOGIN", "guest"}, {"PASSWORD", "guest"}};
  peer.send(0, login("AMQPLAIN", response.bytes()));
  peer.expect_any<amqp::connection::Tune>(0);
}

TEST_CASE("a wrong password is a 403 for those who ask to be told, silence for the others") {
  for (const bool told : {true, false}) {
    TestBroker broker;
    SessionPeer peer(broker);
    peer.send_bytes(amqp::protocol_header);
    peer.expect_any<amqp::connection::Start>(0);
    peer.send(0, login("PLAIN", std::string_view("\0guest\0wrong", 12),
                       told ? wants_to_be_told.view() : amqp::TableView{}));
    if (told) {
      peer.expect_close(0, 403, "'guest'");
    } else {
      peer.expect_nothing();
      CHECK(peer.session.finished());
    }
  }
}

TEST_CASE("malformed credentials are refused like wrong ones") {
  for (const auto response : {std::string_view(""), std::string_view("guest"),
                              std::string_view("\0guest", 6), std::string_view("\0\0", 2)}) {
    TestBroker broker;
    SessionPeer peer(broker);
    peer.send_bytes(amqp::protocol_header);
    peer.expect_any<amqp::connection::Start>(0);
    peer.send(0, login("PLAIN", response, wants_to_be_told.view()));
    peer.expect_close(0, 403, "refused");
  }
}

TEST_CASE("an unknown mechanism is a 503 that names those there are") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.send_bytes(amqp::protocol_header);
  peer.expect_any<amqp::connection::Start>(0);
  peer.send(0, login("KERBEROS_V4", std::string_view("x")));
  peer.expect_close(0, 503, "PLAIN AMQPLAIN");
}

TEST_CASE("tuning out of range is a 530") {
  struct Case {
    std::uint16_t channel_max;
    std::uint32_t frame_max;
    const char* text;
  };
  for (const Case& c : {Case{2048, 131072, "channel_max = 2048"}, Case{0, 131072, "channel_max"},
                        Case{2047, 131073, "frame_max = 131073"}, Case{2047, 4095, "frame_max"},
                        Case{2047, 0, "frame_max"}}) {
    TestBroker broker;
    SessionPeer peer(broker);
    peer.log_in();
    peer.send(0, amqp::connection::TuneOk{
                     .channel_max = c.channel_max, .frame_max = c.frame_max, .heartbeat = 0});
    peer.expect_close(0, 530, c.text);
  }
}

TEST_CASE("an unknown vhost is a 530") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.log_in();
  peer.send(0, amqp::connection::TuneOk{.channel_max = 2047, .frame_max = 131072, .heartbeat = 0});
  peer.send(0, amqp::connection::Open{.virtual_host = "nowhere"});
  peer.expect_close(0, 530, "vhost nowhere not found");
}

TEST_CASE("methods out of their turn are a 503") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.send_bytes(amqp::protocol_header);
  peer.expect_any<amqp::connection::Start>(0);
  peer.send(0, amqp::connection::Open{.virtual_host = "/"});
  peer.expect_close(0, 503, "connection.open");
}

TEST_CASE("a channel cannot be opened before the connection") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.send_bytes(amqp::protocol_header);
  peer.expect_any<amqp::connection::Start>(0);
  peer.send(1, amqp::channel::Open{});
  peer.expect_close(0, 505, "before connection.open");
}

TEST_CASE("before the login frames are small") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.send_bytes(amqp::protocol_header);
  peer.expect_any<amqp::connection::Start>(0);
  peer.send_bytes(std::string_view("\x01\x00\x00\x00\x01\x00\x00", 7));
  peer.expect_close(0, 501, "larger than the maximum of 16384");
}

TEST_CASE("who has not opened a connection after ten seconds is closed") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.log_in();
  CHECK(peer.session.deadline() == broker.now + 10s);
  broker.now += 10s - 1ms;
  peer.session.tick(broker.now);
  CHECK_FALSE(peer.session.finished());
  broker.now += 1ms;
  peer.session.tick(broker.now);
  CHECK(peer.session.finished());
  CHECK(peer.session.reason() == "handshake not finished in time");
}

TEST_CASE("close is answered with close-ok at any time after the login") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(0, amqp::connection::Close{.reply_code = 200, .reply_text = "bye"});
  peer.expect(0, amqp::connection::CloseOk{});
  CHECK(peer.session.finished());
  CHECK(peer.session.reason().empty());
}

TEST_CASE("after our close everything but close-ok is passed over") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(9, amqp::basic::Qos{});
  peer.expect_close(0, 504, "channel 9 is not open");
  peer.send(1, amqp::queue::Declare{.queue = "late"});
  peer.send_bytes(std::string_view("\x08\x00\x00\x00\x00\x00\x00\xce", 8));
  peer.expect_nothing();
  CHECK(broker.engine.queue_count() == 0);
  peer.send(0, amqp::connection::CloseOk{});
  CHECK(peer.session.finished());
}

TEST_CASE("a peer that does not answer our close is given five seconds") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.session.shut_down(broker.now);
  peer.expect_close(0, 320, "broker forced connection closure with reason 'shutdown'");
  CHECK(peer.session.deadline() == broker.now + 5s);
  broker.now += 5s;
  peer.session.tick(broker.now);
  CHECK(peer.session.finished());
}

TEST_CASE("heartbeats go out when nothing else did, and missing ones end the connection") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open_connection(10);
  CHECK(peer.session.deadline() == broker.now + 5s);
  broker.now += 5s;
  peer.session.tick(broker.now);
  CHECK(peer.output() == std::string_view("\x08\x00\x00\x00\x00\x00\x00\xce", 8));
  peer.output().clear();
  peer.session.tick(broker.now + 1s);
  peer.expect_nothing();
  peer.send_bytes(std::string_view("\x08\x00\x00\x00\x00\x00\x00\xce", 8));
  broker.now += 20s - 1ms;
  peer.session.tick(broker.now);
  CHECK_FALSE(peer.session.finished());
  broker.now += 1ms;
  peer.session.tick(broker.now);
  CHECK(peer.session.finished());
  CHECK(peer.session.reason() == "two heartbeats missed");
}

TEST_CASE("a heartbeat of a second is sent every half a second") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open_connection(1);
  CHECK(peer.session.deadline() == broker.now + 500ms);
}

TEST_CASE("without heartbeats a silent connection lives for ever") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open_connection(0);
  CHECK(peer.session.deadline() == session::Time::max());
  peer.session.tick(broker.now + 24h);
  CHECK_FALSE(peer.session.finished());
}

TEST_CASE("a new secret is taken note of") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.send(0, amqp::connection::UpdateSecret{.new_secret = std::string_view("s"), .reason = "r"});
  peer.expect(0, amqp::connection::UpdateSecretOk{});
}
