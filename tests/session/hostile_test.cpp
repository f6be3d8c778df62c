#include <unistd.h>

#include <fstream>
#include <random>

#include "support/session_peer.hpp"

using namespace haypile;
using test::SessionPeer;
using test::TestBroker;

namespace {
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}
}  // namespace

TEST_CASE("frames that are none end the connection with 501") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  SUBCASE("unknown type") {
    peer.send_bytes("\x07");
    peer.expect_close(0, 501, "frame type 7");
  }
  SUBCASE("longer than negotiated") {
    peer.send_bytes(std::string_view("\x01\x00\x01\x00\x00\x0f\xf9", 7));
    peer.expect_close(0, 501, "4096");
  }
  SUBCASE("an absurd length") {
    peer.send_bytes(std::string_view("\x03\x00\x01\xff\xff\xff\xff", 7));
    peer.expect_close(0, 501, "4096");
  }
  SUBCASE("without its end") {
    peer.send_bytes(std::string_view("\x08\x00\x00\x00\x00\x00\x00\x00", 8));
    peer.expect_close(0, 501, "end octet");
  }
  // The framing is lost, so nothing that follows has a meaning.
  peer.send_bytes("garbage");
  peer.send(0, amqp::connection::CloseOk{});
  peer.expect_nothing();
  CHECK_FALSE(peer.session.finished());
}

TEST_CASE("methods that are none") {
  TestBroker broker;
  SessionPeer peer(broker);
  peer.open();
  const auto method = [&](std::uint16_t channel, std::string_view payload) {
    std::string bytes;
    amqp::append_frame(bytes, amqp::FrameType::method, channel, payload);
    peer.send_bytes(bytes);
  };
  SUBCASE("unknown id: 540") {
    method(1, std::string_view("\x00\x3c\x03\xe7", 4));
    peer.expect_close(0, 540, "unknown method 999 of class 60");
  }
  SUBCASE("too short for an id: 501") {
    method(1, "\x3c");
    peer.expect_close(0, 501, "too short");
  }
  SUBCASE("cut off: 501") {
    method(1, std::string_view("\x00\x3c\x00\x50\x00", 5));
    peer.expect_close(0, 501, "malformed basic.ack");
  }
  SUBCASE("a server's method: 503") {
    peer.send(1, amqp::basic::GetEmpty{});
    peer.expect_close(0, 503, "basic.get-empty");
  }
  SUBCASE("a channel's method on channel 0: 504") {
    peer.send(0, amqp::basic::Qos{});
    peer.expect_close(0, 504, "basic.qos");
  }
  SUBCASE("a server's method with content: 505") {
    peer.send(1, amqp::basic::Deliver{});
    peer.expect_close(0, 505, "basic.deliver");
  }
  SUBCASE("close-ok on a channel that is not open: 504") {
    peer.send(5, amqp::channel::CloseOk{});
    peer.expect_close(0, 504, "channel 5");
  }
  SUBCASE("heartbeat with a payload: 501") {
    peer.send_bytes(std::string_view("\x08\x00\x00\x00\x00\x00\x01x\xce", 9));
    peer.expect_close(0, 501, "heartbeat");
  }
  SUBCASE("heartbeat on a channel: 505") {
    peer.send_bytes(std::string_view("\x08\x00\x01\x00\x00\x00\x00\xce", 8));
    peer.expect_close(0, 505, "heartbeat on channel 1");
  }
  SUBCASE("content on channel 0: 505") {
    peer.send_bytes(std::string_view("\x03\x00\x00\x00\x00\x00\x00\xce", 8));
    peer.expect_close(0, 505, "channel 0");
  }
  SUBCASE("content on a channel that is not open: 505") {
    peer.send_bytes(std::string_view("\x03\x00\x05\x00\x00\x00\x00\xce", 8));
    peer.expect_close(0, 505, "channel 5");
  }
}

TEST_CASE("a large body that is announced but does not come takes no memory") {
  TestBroker broker;
  broker.settings.message_size_max_bytes = std::uint64_t{1} << 30;
  SessionPeer peer(broker);
  peer.open();
  peer.send(1, amqp::basic::Publish{.routing_key = "q"});
  std::string bytes;
  amqp::append_content_header(bytes, 1, 60, std::uint64_t{1} << 30, std::string_view("\0\0", 2));
  amqp::append_frame(bytes, amqp::FrameType::body, 1, "the first bytes");
  const std::size_t before = resident_bytes();
  peer.send_bytes(bytes);
  peer.expect_nothing();
  CHECK(resident_bytes() < before + (16u << 20));
}

// The allocators of the sanitizers end the program instead.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a body for which there is no memory ends its connection") {
  TestBroker broker;
  broker.settings.message_size_max_bytes = std::uint64_t{1} << 60;
  SessionPeer peer(broker);
  peer.open();
  peer.send(1, amqp::basic::Publish{.routing_key = "q"});
  std::string bytes;
  amqp::append_content_header(bytes, 1, 60, std::uint64_t{1} << 60, std::string_view("\0\0", 2));
  amqp::append_frame(bytes, amqp::FrameType::body, 1, "the first bytes");
  peer.send_bytes(bytes);
  peer.expect_close(0, 506, "no memory");
}
#endif

// Damages a session at random. The session does not crash (sanitizers watch) and sends only frames,
// and the engine serves the next client.
TEST_CASE("random damage to a whole session") {
  std::string good(amqp::protocol_header);
  const auto add = [&good](std::uint16_t channel, const auto& method) {
    amqp::append_method(good, channel, method);
  };
  add(0, amqp::connection::StartOk{.mechanism = "PLAIN",
                                   .response = std::string_view("\0guest\0guest", 12),
                                   .locale = "en_US"});
  add(0, amqp::connection::TuneOk{.channel_max = 2047, .frame_max = 131072, .heartbeat = 60});
  add(0, amqp::connection::Open{.virtual_host = "/"});
  const std::size_t logged_in = good.size();
  add(1, amqp::channel::Open{});
  const amqp::Table arguments{{"x-queue-type", "classic"}, {"nested", amqp::Table{{"n", 1}}}};
  add(1, amqp::queue::Declare{.queue = "q", .arguments = arguments.view()});
  add(1, amqp::confirm::Select{});
  add(1, amqp::basic::Consume{.queue = "q", .consumer_tag = "c"});
  for (int i = 0; i < 3; ++i) {
    amqp::append_message(good, 1, amqp::basic::Publish{.routing_key = "q"},
                         std::string_view("\x10\x00\x02", 3), "body", 4096);
  }
  add(1, amqp::basic::Ack{.delivery_tag = 2, .multiple = true});
  add(1, amqp::queue::Delete{.queue = "q"});
  add(1, amqp::channel::Close{});

  std::mt19937 random(20260917);
  TestBroker broker;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    const std::size_t first = round % 2 == 0 ? 0 : logged_in;
    const auto place = [&] { return first + random() % (bytes.size() - first); };
    for (unsigned damage = 0; damage < 1 + random() % 3; ++damage) {
      switch (random() % 4) {
        case 0:
          bytes[place()] = static_cast<char>(random());
          break;
        case 1:
          bytes.resize(place() + 1);
          break;
        case 2:
          bytes.insert(place(), 1 + random() % 9, static_cast<char>(random()));
          break;
        default:
          bytes.erase(place(), 1 + random() % 9);
          break;
      }
    }
    SessionPeer peer(broker);
    peer.send_bytes(bytes);
    std::string_view rest = peer.output();
    if (rest.starts_with("AMQP")) rest.remove_prefix(amqp::protocol_header.size());
    while (!rest.empty()) {
      amqp::Frame frame;
      std::size_t size = 0;
      REQUIRE(amqp::parse_frame(rest, 131072, frame, size) == amqp::FrameStatus::complete);
      rest.remove_prefix(size);
    }
  }
  SessionPeer peer(broker);
  peer.open();
  peer.declare("still here");
}
