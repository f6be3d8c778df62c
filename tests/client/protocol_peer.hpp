// A broker whose steps a test writes down, and the client's protocol that talks to it.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "client/core/protocol.hpp"
#include "client/frames.hpp"

namespace haypile {

struct ProtocolPeer {
  explicit ProtocolPeer(const ConnectionOptions& options = {}) : protocol(options, now) {}

  void send_bytes(std::string_view bytes) {
    pending += bytes;
    pending.erase(0, protocol.receive(pending, now));
  }
  template <class M>
  void send(std::uint16_t channel, const M& method) {
    std::string bytes;
    REQUIRE(amqp::append_method(bytes, channel, method));
    send_bytes(bytes);
  }
  // The next method that the client has sent. Its views are valid until the next call.
  template <class M>
  M expect(std::uint16_t channel) {
    amqp::Frame frame;
    REQUIRE(take_frame(protocol.output(), last, frame));
    return method_of<M>(frame, channel);
  }
  // The events since the last call.
  std::vector<Event> events() {
    std::vector<Event> taken;
    protocol.take_events(taken);
    return taken;
  }
  // The only event since the last call.
  template <class E>
  E event() {
    std::vector<Event> taken = events();
    REQUIRE(taken.size() == 1);
    REQUIRE(std::holds_alternative<E>(taken.front()));
    return std::move(std::get<E>(taken.front()));
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
    REQUIRE(protocol.state() == Protocol::State::open);
    event<event::Opened>();
  }
  std::uint16_t open_channel() {
    const auto [number, request] = protocol.open_channel(now);
    REQUIRE(number != 0);
    expect<amqp::channel::Open>(number);
    send(number, amqp::channel::OpenOk{});
    CHECK(event<event::Reply>().request == request);
    return number;
  }
  void select_confirms(std::uint16_t channel) {
    protocol.request<amqp::confirm::SelectOk>(channel, amqp::confirm::Select{}, now);
    expect<amqp::confirm::Select>(channel);
    send(channel, amqp::confirm::SelectOk{});
    event<event::Reply>();
  }
  // Checks that the protocol has given up, and has sent the broker this code.
  void expect_failure(amqp::ReplyCode code) {
    CHECK(protocol.state() == Protocol::State::closed);
    CHECK(protocol.reason().code == static_cast<std::uint16_t>(code));
    CHECK(protocol.reason().ending == Ending::broken_protocol);
    CHECK(expect<amqp::connection::Close>(0).reply_code == static_cast<std::uint16_t>(code));
  }

  TimePoint now = TimePoint() + std::chrono::hours(1);
  Protocol protocol;
  std::string pending;
  std::string last;
};

}  // namespace haypile
