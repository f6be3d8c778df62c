// Tests of the client's protocol logic with a broker whose steps the tests write down.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "client/protocol_peer.hpp"

using namespace haypile;
using State = Protocol::State;
using Peer = ProtocolPeer;
using namespace std::chrono_literals;

namespace {

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
  const CloseReason reason = peer.event<event::Closed>().reason;
  CHECK(reason.ending == Ending::broker);
  CHECK(reason.code == 403);
  CHECK(reason.text == "ACCESS_REFUSED");
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
    CHECK(other_version.protocol.reason().text == "the broker does not speak AMQP 0-9-1");
    CHECK(other_version.pending.empty());
  }
  Peer web;
  web.protocol.output().clear();
  web.send_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
  web.expect_failure(amqp::ReplyCode::frame_error);
  Peer no_plain;
  no_plain.send(0, amqp::connection::Start{.mechanisms = "EXTERNAL", .locales = "en_US"});
  CHECK(no_plain.protocol.state() == State::closed);
  CHECK(no_plain.protocol.reason().text.find("PLAIN") != std::string::npos);
}

TEST_CASE("the handshake has an order, and is done once") {
  for (int wrong = 0; wrong < 4; ++wrong) {
    CAPTURE(wrong);
    Peer peer;
    if (wrong == 0) {
      peer.protocol.output().clear();
      peer.send(0, amqp::connection::OpenOk{});
    } else {
      peer.start();
      peer.expect<amqp::connection::StartOk>(0);
      if (wrong == 1) peer.send(0, amqp::connection::OpenOk{});
      if (wrong == 2) peer.send(0, amqp::connection::Start{.mechanisms = "PLAIN"});
      if (wrong == 3) {
        peer.send(0, amqp::connection::Tune{});
        peer.expect<amqp::connection::TuneOk>(0);
        peer.expect<amqp::connection::Open>(0);
        peer.send(0, amqp::connection::Tune{});
      }
    }
    peer.expect_failure(amqp::ReplyCode::command_invalid);
  }
}

TEST_CASE("a delivery comes whole, wherever it is cut") {
  const std::string bytes = delivery("a body of two frames", 20);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Peer peer;
    peer.open();
    peer.open_channel();
    peer.send_bytes(std::string_view(bytes).substr(0, cut));
    CHECK(peer.protocol.has_events() == (cut == bytes.size()));
    peer.send_bytes(std::string_view(bytes).substr(cut));
    const auto [channel, message] = peer.event<event::Delivery>();
    CHECK(channel == 1);
    CHECK(message.body() == "a body of two frames");
    CHECK(message.routing_key() == "q");
    CHECK(message.consumer_tag() == "c");
    CHECK(message.delivery_tag == 7);
  }
}

TEST_CASE("the broker closes a channel, the connection goes on") {
  Peer peer;
  peer.open();
  peer.open_channel();
  peer.send(1, amqp::channel::Close{
                   .reply_code = 404, .reply_text = "NOT_FOUND", .class_id = 50, .method_id = 10});
  const auto closed = peer.event<event::ChannelClosed>();
  CHECK(closed.channel == 1);
  CHECK(closed.reason.ending == Ending::broker);
  CHECK(closed.reason.code == 404);
  CHECK(closed.reason.method == "queue.declare");
  peer.expect<amqp::channel::CloseOk>(1);
  CHECK(peer.protocol.state() == State::open);
  // Its number is free at once.
  CHECK(peer.open_channel() == 1);
}

TEST_CASE("what comes for a channel that is being closed is dropped") {
  Peer peer;
  peer.open();
  peer.open_channel();
  peer.protocol.request<amqp::queue::DeclareOk>(1, amqp::queue::Declare{}, peer.now);
  peer.expect<amqp::queue::Declare>(1);
  peer.protocol.close_channel(1, peer.now);
  peer.protocol.close_channel(1, peer.now);
  peer.expect<amqp::channel::Close>(1);
  CHECK(peer.protocol.output().empty());
  CHECK(peer.protocol.channel_is_closing());
  peer.send_bytes(delivery("late"));
  peer.send(1, amqp::queue::DeclareOk{});
  CHECK_FALSE(peer.protocol.has_events());
  SUBCASE("the broker answers") {
    peer.send(1, amqp::channel::CloseOk{});
  }
  SUBCASE("both close it at the same time") {
    peer.send(1, amqp::channel::Close{});
    peer.expect<amqp::channel::CloseOk>(1);
    CHECK_FALSE(peer.protocol.has_events());
    peer.send(1, amqp::channel::CloseOk{});
  }
  CHECK(peer.event<event::ChannelClosed>().reason.ending == Ending::ours);
  CHECK_FALSE(peer.protocol.channel_is_closing());
  CHECK(peer.protocol.state() == State::open);
}

TEST_CASE("channel numbers are used again, and there are no more than agreed") {
  Peer peer;
  peer.open();
  for (int i = 0; i < 5; ++i)
    peer.open_channel();
  CHECK(peer.protocol.open_channel(peer.now).first == 0);
  peer.protocol.close_channel(3, peer.now);
  peer.expect<amqp::channel::Close>(3);
  CHECK(peer.protocol.open_channel(peer.now).first == 0);
  peer.send(3, amqp::channel::CloseOk{});
  peer.event<event::ChannelClosed>();
  CHECK(peer.protocol.open_channel(peer.now).first == 3);
}

TEST_CASE("several requests are under way on a channel, and get their answers in order") {
  Peer peer;
  peer.open();
  peer.open_channel();
  const RequestId declare =
      peer.protocol.request<amqp::queue::DeclareOk>(1, amqp::queue::Declare{}, peer.now);
  const RequestId empty = peer.protocol.get(1, {.queue = "q"}, peer.now);
  const RequestId full = peer.protocol.get(1, {.queue = "q"}, peer.now);
  CHECK(declare < empty);
  CHECK(empty < full);
  peer.send(1, amqp::queue::DeclareOk{.queue = "q", .message_count = 3});
  const auto reply = peer.event<event::Reply>();
  CHECK(reply.request == declare);
  amqp::queue::DeclareOk ok;
  REQUIRE(amqp::decode_arguments(reply.arguments, ok) == amqp::DecodeError::none);
  CHECK(ok.message_count == 3);
  peer.send(1, amqp::basic::GetEmpty{});
  auto got = peer.event<event::Got>();
  CHECK(got.request == empty);
  CHECK_FALSE(got.message);
  std::string bytes;
  amqp::append_message(bytes, 1, amqp::basic::GetOk{.delivery_tag = 5, .message_count = 2},
                       std::string_view("\0\0", 2), "m", 4096);
  peer.send_bytes(bytes);
  got = peer.event<event::Got>();
  CHECK(got.request == full);
  REQUIRE(got.message);
  CHECK(got.message->delivery_tag == 5);
  CHECK(got.message->message_count == 2);
}

TEST_CASE("published messages have numbers from confirm.select on") {
  Peer peer;
  peer.open();
  peer.open_channel();
  CHECK(peer.protocol.publish(1, {}, std::string_view("\0\0", 2), "m") == 0);
  peer.protocol.request<amqp::confirm::SelectOk>(1, amqp::confirm::Select{}, peer.now);
  // The broker counts it, whether its answer has come or not.
  CHECK(peer.protocol.publish(1, {}, std::string_view("\0\0", 2), "m") == 1);
  peer.send(1, amqp::confirm::SelectOk{});
  peer.event<event::Reply>();
  CHECK(peer.protocol.publish(1, {}, std::string_view("\0\0", 2), "m") == 2);
  CHECK(peer.protocol.publish(1, {}, std::string_view("\0\0", 2), "m") == 3);
  peer.send(1, amqp::basic::Ack{.delivery_tag = 2, .multiple = true});
  auto confirmed = peer.event<event::Confirmed>();
  CHECK(confirmed.number == 2);
  CHECK(confirmed.multiple);
  CHECK_FALSE(confirmed.refused);
  peer.send(1, amqp::basic::Nack{.delivery_tag = 0, .multiple = true});
  confirmed = peer.event<event::Confirmed>();
  CHECK(confirmed.number == 3);
  CHECK(confirmed.refused);
  for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{4}, UINT64_MAX}) {
    CAPTURE(wrong);
    Peer other;
    other.open();
    other.open_channel();
    other.select_confirms(1);
    other.protocol.publish(1, {}, std::string_view("\0\0", 2), "m");
    other.protocol.output().clear();
    other.send(1, amqp::basic::Ack{.delivery_tag = wrong});
    other.expect_failure(amqp::ReplyCode::precondition_failed);
  }
}

TEST_CASE("what does not fit on the wire is not sent") {
  Peer peer({.frame_max_bytes = 4096});
  peer.open();
  peer.open_channel();
  const std::string long_name(256, 'n');
  const amqp::Table large{{"k", std::string(5000, 'v')}};
  CHECK_FALSE(peer.protocol.publish(1, {.routing_key = long_name}, "", "m"));
  CHECK_FALSE(peer.protocol.publish(1, {}, std::string(4090, 'p'), "m"));
  CHECK(peer.protocol.get(1, {.queue = long_name}, peer.now) == 0);
  CHECK_FALSE(peer.protocol.send(1, amqp::basic::Cancel{.consumer_tag = long_name}));
  CHECK(peer.protocol.request<amqp::queue::DeclareOk>(
            1, amqp::queue::Declare{.queue = "q", .arguments = large}, peer.now) == 0);
  CHECK(peer.protocol.output().empty());
}

TEST_CASE("the broker says when it takes no messages, and why") {
  Peer peer;
  peer.open();
  peer.send(0, amqp::connection::Blocked{.reason = "low on memory"});
  CHECK(peer.protocol.blocked());
  CHECK(peer.event<event::Blocked>().reason == "low on memory");
  peer.send(0, amqp::connection::Unblocked{});
  CHECK_FALSE(peer.protocol.blocked());
  CHECK_FALSE(peer.event<event::Blocked>().blocked);
}

TEST_CASE("a handshake that is not done in time ends") {
  Peer peer({.connection_timeout = 500ms});
  peer.start();
  CHECK(peer.protocol.deadline() == peer.now + 500ms);
  peer.protocol.tick(peer.now + 499ms);
  CHECK(peer.protocol.state() == State::handshake);
  peer.protocol.tick(peer.now + 500ms);
  CHECK(peer.event<event::Closed>().reason.ending == Ending::timed_out);
}

TEST_CASE("an answer that is overdue ends the connection, whatever was answered before") {
  Peer peer({.heartbeat_s = 0, .rpc_timeout = 30s});
  peer.open();
  peer.open_channel();
  peer.open_channel();
  CHECK_FALSE(peer.protocol.deadline());
  peer.protocol.request<amqp::queue::DeclareOk>(1, amqp::queue::Declare{}, peer.now);
  peer.now += 10s;
  peer.protocol.request<amqp::queue::DeclareOk>(2, amqp::queue::Declare{}, peer.now);
  CHECK(peer.protocol.deadline() == peer.now + 20s);
  peer.send(1, amqp::queue::DeclareOk{});
  CHECK(peer.protocol.deadline() == peer.now + 30s);
  peer.protocol.close_channel(2, peer.now + 1s);  // nobody waits for the answer any more
  CHECK(peer.protocol.deadline() == peer.now + 31s);
  peer.protocol.tick(peer.now + 31s);
  CHECK(peer.protocol.state() == State::closed);
  CHECK(peer.protocol.reason().ending == Ending::timed_out);
  CHECK_FALSE(peer.protocol.deadline());
}

TEST_CASE("a silent broker is given up after two heartbeats, one that sends is not") {
  Peer peer({.heartbeat_s = 10});
  peer.open();
  for (int i = 0; i < 5; ++i) {
    peer.now += 19s;
    peer.send_bytes(std::string_view("\x08\0\0\0\0\0\0\xce", 8));
    peer.protocol.tick(peer.now);
    CHECK(peer.protocol.state() == State::open);
  }
  peer.protocol.tick(peer.now + 20s);
  CHECK(peer.protocol.reason().ending == Ending::lost);
  CHECK(peer.protocol.reason().text.find("heartbeats") != std::string::npos);
}

TEST_CASE("heartbeats go out when nothing else does, twice an interval") {
  Peer peer({.heartbeat_s = 10});
  peer.open();
  peer.protocol.sent(peer.now);
  CHECK(peer.protocol.keep_alive_deadline() == peer.now + 5s);
  peer.protocol.keep_alive(peer.now + 4s);
  CHECK(peer.protocol.output().empty());
  peer.protocol.keep_alive(peer.now + 5s);
  CHECK(peer.protocol.output() == std::string_view("\x08\0\0\0\0\0\0\xce", 8));
  CHECK(peer.protocol.keep_alive_deadline() == peer.now + 10s);
}

TEST_CASE("close: the goodbye is answered, or its time is over") {
  Peer peer({.heartbeat_s = 0});
  peer.open();
  peer.open_channel();
  peer.protocol.close(peer.now, 5s);
  peer.expect<amqp::connection::Close>(0);
  CHECK(peer.protocol.state() == State::closing);
  peer.send_bytes(delivery("late"));
  CHECK_FALSE(peer.protocol.has_events());
  SUBCASE("answered") {
    peer.send(0, amqp::connection::CloseOk{});
    CHECK(peer.event<event::Closed>().reason.ending == Ending::ours);
  }
  SUBCASE("the broker closes it at the same time") {
    peer.send(0, amqp::connection::Close{.reply_code = 320, .reply_text = "CONNECTION_FORCED"});
    peer.expect<amqp::connection::CloseOk>(0);
    CHECK(peer.event<event::Closed>().reason.code == 320);
  }
  SUBCASE("in vain") {
    peer.protocol.tick(peer.now + 5s);
    CHECK(peer.event<event::Closed>().reason.ending == Ending::timed_out);
  }
  CHECK(peer.protocol.state() == State::closed);
  peer.protocol.lost("too late");
  CHECK_FALSE(peer.protocol.has_events());
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
  breaks(Code::command_invalid, [](Peer& peer) { peer.send(1, amqp::basic::GetEmpty{}); });
  breaks(Code::command_invalid, [](Peer& peer) { peer.send(1, amqp::basic::GetOk{}); });
  breaks(Code::command_invalid, [](Peer& peer) {
    peer.protocol.get(1, {}, peer.now);
    peer.expect<amqp::basic::Get>(1);
    peer.send(1, amqp::queue::DeclareOk{});
  });
  breaks(Code::syntax_error, [](Peer& peer) {
    peer.protocol.request<amqp::queue::DeclareOk>(1, amqp::queue::Declare{}, peer.now);
    peer.expect<amqp::queue::Declare>(1);
    peer.send_bytes(std::string_view("\1\0\1\0\0\0\5\0\x32\0\x0b\x09\xce", 13));
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
    peer.protocol.request<amqp::queue::DeclareOk>(1, amqp::queue::Declare{}, peer.now);
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
