// A broker on the other end of a socket, whose steps a test writes down. The client's calls that
// wait for it run on a thread of their own.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <haypile/client.hpp>

#include "client/frames.hpp"

namespace haypile {

class SocketPeer {
 public:
  SocketPeer() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors_) == 0); }
  ~SocketPeer() {
    hang_up();
    if (descriptors_[1] >= 0) ::close(descriptors_[1]);
  }
  SocketPeer(const SocketPeer&) = delete;
  SocketPeer& operator=(const SocketPeer&) = delete;

  // The client's end of the socket, which the caller closes.
  int take_client_end() { return std::exchange(descriptors_[1], -1); }
  // Logs a client in. Nobody waits for a goodbye that the test does not answer.
  Connection connect(const ConnectionOptions& options = {}) {
    return connect_over(take_client_end(), options);
  }
  // The same, if the client's end is not the client's own socket.
  Connection connect_over(int descriptor, ConnectionOptions options) {
    options.close_timeout = std::min(options.close_timeout, std::chrono::milliseconds(20));
    auto connecting = std::async(std::launch::async,
                                 [&] { return Connection::over_socket(descriptor, options); });
    read_bytes(amqp::protocol_header.size());
    send(0, amqp::connection::Start{.mechanisms = "PLAIN", .locales = "en_US"});
    expect<amqp::connection::StartOk>(0);
    send(0, amqp::connection::Tune{});
    expect<amqp::connection::TuneOk>(0);
    expect<amqp::connection::Open>(0);
    send(0, amqp::connection::OpenOk{});
    return connecting.get();
  }
  // Runs a call of the client, and answers the method M that it sends.
  template <class M, class Ok, class Call>
  auto answer(std::uint16_t channel, const Ok& ok, Call&& call) {
    auto calling = std::async(std::launch::async, std::forward<Call>(call));
    expect<M>(channel);
    send(channel, ok);
    return calling.get();
  }
  Channel open_channel(Connection& connection, std::uint16_t number = 1) {
    return answer<amqp::channel::Open>(number, amqp::channel::OpenOk{},
                                       [&] { return connection.channel(); });
  }
  void select_confirms(Channel& channel, std::uint16_t number = 1) {
    answer<amqp::confirm::Select>(number, amqp::confirm::SelectOk{},
                                  [&] { channel.confirm_select(); });
  }
  void consume(Channel& channel, DeliveryCallback callback, std::uint16_t number = 1,
               const std::string& consumer_tag = "c") {
    answer<amqp::basic::Consume>(number, amqp::basic::ConsumeOk{.consumer_tag = consumer_tag}, [&] {
      channel.basic_consume("q", std::move(callback), {.consumer_tag = consumer_tag});
    });
  }

  template <class M>
  void send(std::uint16_t channel, const M& method) {
    std::string bytes;
    REQUIRE(amqp::append_method(bytes, channel, method));
    send_bytes(bytes);
  }
  template <class M>
  void send_message(std::uint16_t channel, const M& method, std::string_view body) {
    std::string bytes;
    REQUIRE(amqp::append_message(bytes, channel, method, std::string_view("\0\0", 2), body, 4096));
    send_bytes(bytes);
  }
  void deliver(std::uint16_t channel, std::uint64_t delivery_tag, std::string_view body,
               std::string_view consumer_tag = "c") {
    send_message(channel,
                 amqp::basic::Deliver{.consumer_tag = consumer_tag, .delivery_tag = delivery_tag},
                 body);
  }
  void send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptors_[0], bytes.data(), bytes.size(), MSG_NOSIGNAL);
      REQUIRE(count > 0);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // Waits for so many bytes, such as the protocol header, and drops them.
  void read_bytes(std::size_t count) {
    while (received_.size() < count)
      receive();
    received_.erase(0, count);
  }
  // Waits for the next frame, but for heartbeats. It is valid until the next call.
  amqp::Frame frame() {
    amqp::Frame frame;
    do {
      while (!take_frame(received_, last_, frame))
        receive();
    } while (frame.type == amqp::FrameType::heartbeat);
    return frame;
  }
  template <class M>
  M expect(std::uint16_t channel) {
    return method_of<M>(frame(), channel);
  }
  // Waits for a whole message, and returns its body.
  std::string expect_publish(std::uint16_t channel) {
    expect<amqp::basic::Publish>(channel);
    amqp::ContentHeader header;
    REQUIRE(amqp::decode_content_header(frame().payload, header) == amqp::DecodeError::none);
    std::string body;
    while (body.size() < header.body_size)
      body += frame().payload;
    return body;
  }
  void hang_up() {
    if (descriptors_[0] >= 0) ::close(std::exchange(descriptors_[0], -1));
  }

 private:
  void receive() {
    char bytes[65536];
    pollfd poll{descriptors_[0], POLLIN, 0};
    REQUIRE(::poll(&poll, 1, 60'000) == 1);
    const ssize_t count = ::read(descriptors_[0], bytes, sizeof bytes);
    REQUIRE(count > 0);
    received_.append(bytes, static_cast<std::size_t>(count));
  }

  int descriptors_[2];
  std::string received_;
  std::string last_;
};

}  // namespace haypile
