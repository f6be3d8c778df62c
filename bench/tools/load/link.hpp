// A connection to an AMQP 0-9-1 broker with one open channel: calls that wait, for the setup, and
// then large reads and writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "tools/io/stream.hpp"

namespace haypile::bench::load {

struct Address {
  std::string host = "127.0.0.1";
  std::string port = "5672";
  std::string user = "guest";
  std::string password = "guest";
};

// An AMQP connection of a load generator. All methods throw std::runtime_error.
class Link : public Stream {
 public:
  static constexpr std::uint16_t channel = 1;

  explicit Link(const Address& address);

  std::uint32_t frame_max() const { return frame_max_; }

  // Sends a method on the channel and waits for the method that answers it. Only before start().
  template <class Reply, class Request>
  Reply call(const Request& request) {
    return call_on<Reply>(channel, request);
  }
  void start();

  // Reads what is there and calls `take(type, payload)` for each complete frame.
  template <class Take>
  void read(Take take) {
    receive();
    const std::string_view bytes = in();
    std::size_t at = 0;
    amqp::Frame frame;
    for (std::size_t size = 0; true; at += size) {
      const auto status = amqp::parse_frame(bytes.substr(at), 0, frame, size);
      if (status == amqp::FrameStatus::incomplete) break;
      if (status != amqp::FrameStatus::complete) refuse("sent what is no frame");
      take(frame.type, frame.payload);
    }
    drop_first(at);
  }

 private:
  void log_in(const Address& address);
  // Waits for the broker's next method; its views are valid until the next call.
  amqp::Method wait_for_method();
  template <class Reply, class Request>
  Reply call_on(std::uint16_t number, const Request& request) {
    if (!amqp::append_method(out, number, request)) refuse("was to be sent what is too long");
    while (!flush()) {
    }
    while (true) {
      const amqp::Method method = wait_for_method();
      if (const auto* reply = std::get_if<Reply>(&method)) return *reply;
    }
  }

  std::uint32_t frame_max_ = 131072;
  std::size_t taken_ = 0;  // used while waiting for methods
};

}  // namespace haypile::bench::load
