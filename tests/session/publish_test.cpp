#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

namespace {

const amqp::Properties persistent{.delivery_mode = amqp::delivery_mode_persistent};

void select_confirms(SessionPeer& peer) {
  peer.send(1, amqp::confirm::Select{});
  peer.expect(1, amqp::confirm::SelectOk{});
}

std::string publish_bytes(std::string_view key, std::string_view body) {
  std::string bytes;
  amqp::append_message(bytes, 1, amqp::basic::Publish{.routing_key = key},
                       std::string_view("\x10\x00\x02", 3), body, 4096);
  return bytes;
}

}  // namespace

TEST_CASE("a message keeps its properties byte for byte, and its body through any cutting") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q");
  peer.consume("q", "c");
  const amqp::Table headers{{"n", 1}, {"s", "text"}};
  const amqp::Properties properties{.content_type = "text/plain",
                                    .headers = headers.view(),
                                    .delivery_mode = std::uint8_t{2},
                                    .priority = std::uint8_t{3},
                                    .correlation_id = "42"};
  std::string raw;
  amqp::append_properties(raw, properties);
  for (const std::size_t size : {0u, 1u, 4088u, 4089u, 20000u}) {
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; ++i)
      body[i] = static_cast<char>('a' + i % 26);
    std::string bytes;
    amqp::append_message(bytes, 1, amqp::basic::Publish{.routing_key = "q"}, raw, body, 4096);
    SUBCASE("in one piece") {
      peer.send_bytes(bytes);
    }
    SUBCASE("in pieces of seven bytes") {
      for (std::size_t at = 0; at < bytes.size(); at += 7) {
        peer.send_bytes(std::string_view(bytes).substr(at, 7));
      }
    }
    const test::Received received = peer.expect_delivery(1);
    CHECK(received.raw_properties == raw);
    CHECK(received.body == body);
    CHECK(received.routing_key == "q");
  }
}

TEST_CASE("messages that came together are confirmed together, when they are durable") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q", true);
  select_confirms(peer);
  broker.journal.hold();
  peer.send_bytes(publish_bytes("q", "1") + publish_bytes("q", "2"));
  peer.send_bytes(publish_bytes("q", "3"));
  peer.session.log_advanced();
  peer.expect_nothing();
  broker.journal.release();
  peer.session.log_advanced();
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 3, .multiple = true});
  peer.session.log_advanced();
  peer.expect_nothing();
}

TEST_CASE("without a log to wait for a confirm comes at once") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  peer.declare("q", true);
  select_confirms(peer);
  peer.publish(1, "", "q", "1", persistent);
  peer.publish(1, "", "q", "2");
  // Each publish is a piece of input of its own here, so each has its own confirm.
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 1});
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 2});
}

TEST_CASE("confirms of two channels in one piece of input are kept apart") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open(1);
  peer.open(2);
  select_confirms(peer);
  peer.send(2, amqp::confirm::Select{.no_wait = true});
  std::string bytes;
  for (const std::uint16_t channel : std::initializer_list<std::uint16_t>{1, 2, 2, 1}) {
    amqp::append_message(bytes, channel, amqp::basic::Publish{.routing_key = "none"},
                         std::string_view("\0\0", 2), "b", 4096);
  }
  peer.send_bytes(bytes);
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 1});
  peer.expect(2, amqp::basic::Ack{.delivery_tag = 2, .multiple = true});
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 2});
}

TEST_CASE("an unroutable mandatory message comes back before it is confirmed") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  select_confirms(peer);
  peer.publish(1, "amq.direct", "nowhere", "body", persistent, true);
  const auto returned = peer.expect_any<amqp::basic::Return>(1);
  CHECK(returned.reply_code == 312);
  CHECK(returned.reply_text == "NO_ROUTE");
  CHECK(returned.exchange == "amq.direct");
  CHECK(returned.routing_key == "nowhere");
  test::Received content;
  peer.take_content(content);
  CHECK(content.body == "body");
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 1});
}

TEST_CASE("an unroutable message that is not mandatory is confirmed and gone") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  select_confirms(peer);
  peer.publish(1, "", "nowhere", "body", persistent);
  peer.expect(1, amqp::basic::Ack{.delivery_tag = 1});
}

TEST_CASE("a publish that is refused closes the channel, also in the middle of its content") {
  TestBroker broker;
  broker.settings.message_size_max_bytes = 100;
  SessionPeer peer(broker);
  peer.open();
  SUBCASE("missing exchange") {
    peer.publish(1, "absent", "k", "b");
    peer.expect_close(1, 404, "no exchange 'absent'");
  }
  SUBCASE("internal exchange") {
    peer.send(1, amqp::exchange::Declare{.exchange = "in", .type = "fanout", .internal = true});
    peer.expect(1, amqp::exchange::DeclareOk{});
    peer.publish(1, "in", "k", "b");
    peer.expect_close(1, 403, "internal exchange 'in'");
  }
  SUBCASE("too large") {
    peer.publish(1, "", "k", std::string(101, 'x'));
    peer.expect_close(1, 406, "message size 101 is larger than configured max size 100");
  }
  SUBCASE("in the name of another") {
    peer.publish(1, "", "k", "b", {.user_id = "root"});
    peer.expect_close(1, 406, "authenticated user was 'guest'");
  }
  SUBCASE("with a time to live that is none") {
    for (const std::string_view expiration : {"", "-1", "1.5", "315360000001", "soon"}) {
      peer.publish(1, "", "k", "b", {.expiration = expiration});
      peer.expect_close(1, 406, "invalid expiration '" + std::string(expiration) + "'");
      peer.send(1, amqp::channel::CloseOk{});
      peer.send(1, amqp::channel::Open{});
      peer.expect(1, amqp::channel::OpenOk{});
    }
    peer.publish(1, "", "k", "b", {.expiration = "x"});
    peer.expect_close(1, 406, "expiration");
  }
  SUBCASE("in a way that is neither transient nor persistent") {
    peer.publish(1, "", "k", "b", {.delivery_mode = std::uint8_t{3}});
    peer.expect_close(1, 406, "invalid delivery_mode 3");
  }
  SUBCASE("with carbon copies to what is no list") {
    const amqp::Table headers{{"CC", "other"}};
    peer.publish(1, "", "k", "b", {.headers = headers.view()});
    peer.expect_close(1, 406, "header 'CC' has to be an array");
  }
  // The connection continues.
  peer.send(1, amqp::channel::CloseOk{});
  peer.send(1, amqp::channel::Open{});
  peer.expect(1, amqp::channel::OpenOk{});
}

TEST_CASE("content that does not fit together ends the connection") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  const auto header = [](std::uint16_t class_id, std::uint64_t size) {
    std::string bytes;
    amqp::append_content_header(bytes, 1, class_id, size, std::string_view("\0\0", 2));
    return bytes;
  };
  const auto frame = [](amqp::FrameType type, std::string_view payload) {
    std::string bytes;
    amqp::append_frame(bytes, type, 1, payload);
    return bytes;
  };
  SUBCASE("header without a method") {
    peer.send_bytes(header(60, 1));
    peer.expect_close(0, 505, "content header");
  }
  SUBCASE("body without a header") {
    peer.send(1, amqp::basic::Publish{.routing_key = "q"});
    peer.send_bytes(frame(amqp::FrameType::body, "b"));
    peer.expect_close(0, 505, "content body");
  }
  SUBCASE("method instead of a body") {
    peer.send(1, amqp::basic::Publish{.routing_key = "q"});
    peer.send_bytes(header(60, 1));
    peer.send(1, amqp::basic::Qos{});
    peer.expect_close(0, 505, "basic.qos");
  }
  SUBCASE("body longer than declared") {
    peer.send(1, amqp::basic::Publish{.routing_key = "q"});
    peer.send_bytes(header(60, 3));
    peer.send_bytes(frame(amqp::FrameType::body, "ab"));
    peer.send_bytes(frame(amqp::FrameType::body, "cd"));
    peer.expect_close(0, 505, "longer than the 3 bytes declared");
  }
  SUBCASE("body after an empty message") {
    peer.send(1, amqp::basic::Publish{.routing_key = "q"});
    peer.send_bytes(header(60, 0));
    peer.send_bytes(frame(amqp::FrameType::body, "b"));
    peer.expect_close(0, 505, "content body");
  }
  SUBCASE("channel.close instead of a body") {
    peer.send(1, amqp::basic::Publish{.routing_key = "q"});
    peer.send(1, amqp::channel::Close{});
    peer.expect_close(0, 505, "in the middle of a message");
  }
  SUBCASE("header of another class") {
    peer.send(1, amqp::basic::Publish{.routing_key = "q"});
    peer.send_bytes(header(50, 1));
    peer.expect_close(0, 505, "class 50");
  }
  SUBCASE("header cut off") {
    peer.send(1, amqp::basic::Publish{.routing_key = "q"});
    peer.send_bytes(frame(amqp::FrameType::header, "short"));
    peer.expect_close(0, 501, "content header");
  }
  SUBCASE("properties cut off") {
    std::string bytes;
    amqp::append_content_header(bytes, 1, 60, 0, std::string_view("\x80\0\x09", 3));
    peer.send(1, amqp::basic::Publish{.routing_key = "q"});
    peer.send_bytes(bytes);
    peer.expect_close(0, 502, "malformed properties");
  }
}

TEST_CASE("properties that fit into no frame of a consumer are refused") {
  TestBroker broker;
  broker.settings.frame_max_bytes = 1u << 20;
  SessionPeer peer(broker);
  peer.log_in();
  peer.send(0, amqp::connection::TuneOk{.channel_max = 10, .frame_max = 1u << 20, .heartbeat = 0});
  peer.send(0, amqp::connection::Open{.virtual_host = "/"});
  peer.expect(0, amqp::connection::OpenOk{});
  peer.send(1, amqp::channel::Open{});
  peer.expect(1, amqp::channel::OpenOk{});
  peer.declare("q");
  const auto publish = [&](std::size_t note_size) {
    const amqp::Table headers{{"n", std::string(note_size, 'x')}};
    peer.publish(1, "", "q", "m", {.headers = headers.view()});
  };
  // The header has a class, weight, size and flags; its table has a size, a key and a type.
  const std::size_t most = (128u << 10) - 8 - 14 - 4 - 2 - 5;
  publish(most);
  peer.expect_nothing();
  publish(most + 1);
  peer.expect_close(1, 406, "properties");
}
