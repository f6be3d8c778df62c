// Tests of the client's protocol logic with a broker whose steps the tests write down.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "client/src/protocol.hpp"

using namespace haypile;
using State = Protocol::State;

namespace {

struct Peer {
  explicit Peer(const ConnectionOptions& options = {}) : protocol(options) {}

  void send_bytes(std::string_view bytes) {
    pending += bytes;
    pending.erase(0, protocol.receive(pending));
  }
  template <class M>
  void send(std::uint16_t channel, const M& method) {
    std::string bytes;
    REQUIRE(amqp::append_method(bytes, channel, method));
    send_bytes(bytes);
  }
  template <class M>
  M expect(std::uint16_t channel) {
    amqp::Frame frame;
    std::size_t size = 0;
    std::string& output = protocol.output();
    REQUIRE(amqp::parse_frame(output, 0, frame, size) == amqp::FrameStatus::complete);
    last = output.substr(0, size);
    output.erase(0, size);
    REQUIRE(amqp::parse_frame(last, 0, frame, size) == amqp::FrameStatus::complete);
    CHECK(frame.channel == channel);
    REQUIRE(amqp::peek_method_id(frame.payload) == M::id);
    M method;
    REQUIRE(amqp::decode_arguments(frame.payload.substr(4), method) == amqp::DecodeError::none);
    return method;
  }
  void start() {
    REQUIRE(protocol.output() == amqp::protocol_header);
    protocol.output().clear();
    send(0, amqp::connection::Start{.mechanisms = "AMQPLAIN PLAIN", .locales = "en_US"});
  }
  void open() {
    start();
    expect<amqp::connection::StartOk>(0);
    send(0, amqp::connection::Tune{.channel_max = 5, .frame_max = 131072, .heartbeat = 60});
    expect<amqp::connection::TuneOk>(0);
    expect<amqp::connection::Open>(0);
    send(0, amqp::connection::OpenOk{});
    REQUIRE(protocol.state() == State::open);
  }
  ProtocolChannel& open_channel() {
    const std::uint16_t number = protocol.open_channel();
    REQUIRE(number != 0);
    expect<amqp::channel::Open>(number);
    send(number, amqp::channel::OpenOk{});
    ProtocolChannel* channel = protocol.channel(number);
    REQUIRE(channel);
    REQUIRE(channel->reply);
    channel->reply.reset();
    return *channel;
  }
  // Checks that the protocol has given up, and has sent the broker this code.
  void expect_failure(amqp::ReplyCode code) {
    CHECK(protocol.state() == State::closed);
    REQUIRE(protocol.reason());
    CHECK(protocol.reason()->code == static_cast<std::uint16_t>(code));
    CHECK(expect<amqp::connection::Close>(0).reply_code == static_cast<std::uint16_t>(code));
  }

  Protocol protocol;
  std::string pending;
  std::string last;
};

std::string delivery(std::string_view body, std::uint32_t frame_max = 4096) {
  std::string bytes;
  amqp::append_message(
      bytes, 1, amqp::basic::Deliver{.consumer_tag = "c", .delivery_tag = 7, .routing_key = "q"},
      std::string_view("\0\0", 2), body, frame_max);
  return bytes;
}

}  // namespace

TEST_CASE("the login answers itself") {
  Peer peer({.user = "me", .password = "secret", .virtual_host = "v", .connection_name = "n"});
  peer.start();
  const auto start_ok = peer.expect<amqp::connection::StartOk>(0);
  CHECK(start_ok.mechanism == "PLAIN");
  CHECK(std::string_view(start_ok.response) == std::string_view("\0me\0secret", 10));
  const auto name = start_ok.client_properties.find("connection_name");
  REQUIRE(name);
  CHECK(name->as_string() == "n");
  peer.send(0, amqp::connection::Tune{.channel_max = 100, .frame_max = 8192, .heartbeat = 30});
  const auto tune_ok = peer.expect<amqp::connection::TuneOk>(0);
  CHECK(tune_ok.channel_max == 100);
  CHECK(tune_ok.frame_max == 8192);
  CHECK(tune_ok.heartbeat == 30);
  CHECK(peer.expect<amqp::connection::Open>(0).virtual_host == "v");
  CHECK(peer.protocol.state() == State::handshake);
  peer.send(0, amqp::connection::OpenOk{});
  CHECK(peer.protocol.state() == State::open);
}

TEST_CASE("tuning: the lower limit counts, zero is none, the user's heartbeat wins") {
  Peer peer({.heartbeat_s = 5, .channel_max = 10, .frame_max_bytes = 9000});
  peer.start();
  peer.expect<amqp::connection::StartOk>(0);
  peer.send(0, amqp::connection::Tune{.channel_max = 0, .frame_max = 0, .heartbeat = 60});
  const auto tune_ok = peer.expect<amqp::connection::TuneOk>(0);
  CHECK(tune_ok.channel_max == 10);
  CHECK(tune_ok.frame_max == 9000);
  CHECK(tune_ok.heartbeat == 5);
}

TEST_CASE("a wrong password comes with the broker's reason") {
  Peer peer;
  peer.start();
  peer.expect<amqp::connection::StartOk>(0);
  peer.send(0, amqp::connection::Close{.reply_code = 403, .reply_text = "ACCESS_REFUSED"});
  CHECK(peer.protocol.state() == State::closed);
  REQUIRE(peer.protocol.reason());
  CHECK(peer.protocol.reason()->code == 403);
  CHECK(peer.protocol.reason()->text == "ACCESS_REFUSED");
  peer.expect<amqp::connection::CloseOk>(0);
}

TEST_CASE("a peer that speaks something else is not misunderstood") {
  const std::string_view other_header("AMQP\1\1\0\12", 8);
  for (std::size_t cut = 0; cut <= other_header.size(); ++cut) {
    CAPTURE(cut);
    Peer other_version;
    other_version.send_bytes(other_header.substr(0, cut));
    other_version.send_bytes(other_header.substr(cut));
    CHECK(other_version.protocol.state() == State::closed);
    REQUIRE(other_version.protocol.reason());
    CHECK(other_version.protocol.reason()->text == "the broker does not speak AMQP 0-9-1");
    CHECK(other_version.pending.empty());
  }
  Peer web;
  web.protocol.output().clear();
  web.send_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
  web.expect_failure(amqp::ReplyCode::frame_error);
  Peer no_plain;
  no_plain.send(0, amqp::connection::Start{.mechanisms = "EXTERNAL", .locales = "en_US"});
  CHECK(no_plain.protocol.state() == State::closed);
  CHECK(no_plain.protocol.reason()->text.find("PLAIN") != std::string::npos);
}

TEST_CASE("a delivery comes whole, wherever it is cut") {
  const std::string bytes = delivery("a body of two frames", 20);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Peer peer;
    peer.open();
    ProtocolChannel& channel = peer.open_channel();
    peer.send_bytes(std::string_view(bytes).substr(0, cut));
    CHECK(channel.deliveries.size() == (cut == bytes.size() ? 1 : 0));
    peer.send_bytes(std::string_view(bytes).substr(cut));
    REQUIRE(channel.deliveries.size() == 1);
    const Message& message = channel.deliveries.front();
    CHECK(message.body() == "a body of two frames");
    CHECK(message.routing_key() == "q");
    CHECK(message.consumer_tag == "c");
    CHECK(message.delivery_tag == 7);
  }
}

TEST_CASE("the broker closes a channel, the connection goes on") {
  Peer peer;
  peer.open();
  ProtocolChannel& channel = peer.open_channel();
  peer.send(1, amqp::channel::Close{
                   .reply_code = 404, .reply_text = "NOT_FOUND", .class_id = 50, .method_id = 10});
  REQUIRE(channel.closed);
  CHECK(channel.closed->code == 404);
  CHECK(channel.closed->method == "queue.declare");
  peer.expect<amqp::channel::CloseOk>(1);
  CHECK(peer.protocol.state() == State::open);
  peer.protocol.close_channel(1);
  CHECK(peer.protocol.channel(1) == nullptr);
}

TEST_CASE("what comes for a channel that is being closed is dropped") {
  Peer peer;
  peer.open();
  peer.open_channel();
  peer.protocol.close_channel(1);
  peer.expect<amqp::channel::Close>(1);
  peer.send_bytes(delivery("late"));
  REQUIRE(peer.protocol.channel(1));
  CHECK(peer.protocol.channel(1)->deliveries.empty());
  peer.send(1, amqp::channel::CloseOk{});
  CHECK(peer.protocol.channel(1) == nullptr);
  CHECK(peer.protocol.state() == State::open);
}

TEST_CASE("channel numbers are used again, and there are no more than agreed") {
  Peer peer;
  peer.open();
  for (int i = 0; i < 5; ++i)
    peer.open_channel();
  CHECK(peer.protocol.open_channel() == 0);
  peer.protocol.close_channel(3);
  peer.expect<amqp::channel::Close>(3);
  CHECK(peer.protocol.open_channel() == 0);
  peer.send(3, amqp::channel::CloseOk{});
  CHECK(peer.protocol.open_channel() == 3);
}

TEST_CASE("confirms settle one or many, in any order") {
  Unconfirmed unconfirmed;
  for (std::uint64_t i = 1; i <= 10; ++i)
    CHECK(unconfirmed.add() == i);
  CHECK(unconfirmed.settle(3, false, true));
  CHECK(unconfirmed.count() == 9);
  CHECK(unconfirmed.settle(3, false, true));  // twice does no harm
  CHECK(unconfirmed.count() == 9);
  CHECK(unconfirmed.settle(5, true, true));
  CHECK(unconfirmed.count() == 5);
  CHECK_FALSE(unconfirmed.take_refused());
  CHECK(unconfirmed.settle(7, false, false));
  CHECK(unconfirmed.take_refused());
  CHECK_FALSE(unconfirmed.take_refused());
  CHECK_FALSE(unconfirmed.settle(11, false, true));
  CHECK(unconfirmed.settle(0, true, true));  // all of them
  CHECK(unconfirmed.count() == 0);
}

TEST_CASE("a broker that breaks the protocol gets the code for it") {
  const auto breaks = [](amqp::ReplyCode code, const auto& act) {
    Peer peer;
    peer.open();
    peer.open_channel();
    act(peer);
    peer.expect_failure(code);
  };
  using Code = amqp::ReplyCode;
  breaks(Code::channel_error, [](Peer& peer) { peer.send(2, amqp::basic::GetEmpty{}); });
  breaks(Code::command_invalid, [](Peer& peer) { peer.send(0, amqp::connection::OpenOk{}); });
  breaks(Code::command_invalid, [](Peer& peer) {
    std::string bytes;
    amqp::append_message(bytes, 1, amqp::basic::Publish{}, std::string_view("\0\0", 2), "x", 4096);
    peer.send_bytes(bytes);
  });
  breaks(Code::command_invalid, [](Peer& peer) {
    peer.send(1, amqp::basic::GetEmpty{});
    peer.send(1, amqp::basic::GetEmpty{});
  });
  breaks(Code::unexpected_frame, [](Peer& peer) {
    std::string bytes;
    amqp::append_content_header(bytes, 1, 60, 3, std::string_view("\0\0", 2));
    peer.send_bytes(bytes);
  });
  breaks(Code::unexpected_frame, [](Peer& peer) {
    std::string bytes;
    amqp::append_frame(bytes, amqp::FrameType::body, 1, "x");
    peer.send_bytes(bytes);
  });
  breaks(Code::unexpected_frame, [](Peer& peer) {
    peer.send(1, amqp::basic::Deliver{});
    peer.send(1, amqp::basic::GetEmpty{});
  });
  breaks(Code::precondition_failed,
         [](Peer& peer) { peer.send(1, amqp::basic::Ack{.delivery_tag = 1}); });
  breaks(Code::content_too_large, [](Peer& peer) {
    std::string bytes;
    peer.send(1, amqp::basic::Deliver{});
    amqp::append_content_header(bytes, 1, 60, std::uint64_t{1} << 60, std::string_view("\0\0", 2));
    peer.send_bytes(bytes);
  });
  breaks(Code::syntax_error, [](Peer& peer) {
    std::string bytes;
    amqp::append_frame(bytes, amqp::FrameType::method, 1, std::string_view("\0\x3c\0\x3c\xff", 5));
    peer.send_bytes(bytes);
  });
  breaks(Code::frame_error,
         [](Peer& peer) { peer.send_bytes(std::string_view("\1\0\1\x7f\xff\xff\xff", 7)); });
}

TEST_CASE("random damage ends a connection at worst") {
  std::mt19937 random(20261);
  for (int round = 0; round < 3000; ++round) {
    Peer peer;
    peer.open();
    peer.open_channel();
    std::string bytes = delivery("some body");
    amqp::append_method(bytes, 1, amqp::queue::DeclareOk{.queue = "q", .message_count = 3});
    bytes += delivery("");
    for (int changes = 0; changes < 3; ++changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    peer.send_bytes(bytes);
    // The rest that is kept is at most an unfinished frame.
    CHECK(peer.pending.size() <= bytes.size());
    if (peer.protocol.state() == State::closed) CHECK(peer.pending.empty());
  }
}
