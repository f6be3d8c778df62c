// The client's half of AMQP 0-9-1 without I/O: bytes from the broker go in, bytes for the broker
// come out, and what the broker said is to be found in the channels.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/amqp/methods.hpp>
#include <haypile/options.hpp>

#include "protocol_channel.hpp"

namespace haypile {

class Protocol {
 public:
  // Output begins with the protocol header; the login answers itself.
  explicit Protocol(ConnectionOptions options);

  // Returns how many bytes were used; the rest is to be offered again with more behind it.
  std::size_t receive(std::string_view bytes);

  enum class State : std::uint8_t { handshake, open, closing, closed };
  State state() const { return state_; }
  // Once closed: why. Nothing after a close of our own.
  const std::optional<CloseReason>& reason() const { return reason_; }
  bool blocked() const { return blocked_; }

  std::uint32_t frame_max_bytes() const { return frame_max_; }
  std::uint16_t heartbeat_s() const { return heartbeat_s_; }

  // To be sent, in this order.
  std::string& output() { return output_; }

  // Sends channel.open; 0 if no number is free.
  std::uint16_t open_channel();
  // Null: there is no such channel (any more).
  ProtocolChannel* channel(std::uint16_t number);
  // Asks for the channel's end; channel() answers null from the broker's answer on.
  void close_channel(std::uint16_t number);

  // False: a string is too long for the wire, and nothing is sent.
  template <class M>
  bool send(std::uint16_t channel, const M& method) {
    return amqp::append_method(output_, channel, method);
  }
  // Asks for the end of the connection; state() becomes closed with the answer.
  void close();
  // The socket is gone, or the peer is silent.
  void lost(const std::string& why);

 private:
  void on_frame(const amqp::Frame& frame);
  void on_connection_method(const amqp::Frame& frame);
  void on_start(std::string_view arguments);
  void on_tune(std::string_view arguments);
  void on_close(std::string_view arguments);
  void on_channel_frame(std::uint16_t number, ProtocolChannel& channel, const amqp::Frame& frame);
  void on_channel_method(std::uint16_t number, ProtocolChannel& channel, const amqp::Frame& frame);
  void on_channel_close(std::uint16_t number, ProtocolChannel& channel, std::string_view arguments);
  void on_confirm(ProtocolChannel& channel, amqp::MethodId id, std::string_view arguments);
  void on_content_method(ProtocolChannel& channel, amqp::MethodId id, std::string_view arguments);
  void on_header(ProtocolChannel& channel, const amqp::Frame& frame);
  void on_body(ProtocolChannel& channel, const amqp::Frame& frame);
  void finish_content(ProtocolChannel& channel);
  void forget_channel(std::uint16_t number);
  template <class M>
  bool decode(std::string_view arguments, M& method) {
    const amqp::DecodeError error = amqp::decode_arguments(arguments, method);
    if (error == amqp::DecodeError::none) return true;
    fail(amqp::ReplyCode::syntax_error,
         "malformed " + std::string(M::name) + ": " + std::string(amqp::text(error)));
    return false;
  }
  // The broker does not keep to the protocol.
  void fail(amqp::ReplyCode code, const std::string& text);

  const ConnectionOptions options_;
  State state_ = State::handshake;
  bool greeted_ = false;  // what has come does not begin as a protocol header does
  std::optional<CloseReason> reason_;
  bool blocked_ = false;
  std::uint32_t frame_max_;
  std::uint16_t channel_max_ = 0;
  std::uint16_t heartbeat_s_ = 0;
  std::string output_;
  std::map<std::uint16_t, ProtocolChannel> channels_;
};

}  // namespace haypile
