// The client's side of AMQP 0-9-1 without I/O: bytes from the broker go in, bytes for the broker
// come out, and what the broker sent is stored in the channels.
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

// A connection and its channels as a state machine. Belongs to one thread.
class Protocol {
 public:
  // The output begins with the protocol header. The protocol does the login itself.
  explicit Protocol(ConnectionOptions options);

  // Returns how many bytes were used. Offer the rest again, with more bytes behind it.
  std::size_t receive(std::string_view bytes);

  enum class State : std::uint8_t { handshake, open, closing, closed };
  State state() const { return state_; }
  // Why the connection is closed; nothing after a close of our own.
  const std::optional<CloseReason>& reason() const { return reason_; }
  bool blocked() const { return blocked_; }

  std::uint32_t frame_max_bytes() const { return frame_max_; }
  std::uint16_t heartbeat_s() const { return heartbeat_s_; }

  // The bytes to be sent, in this order. The caller takes them out.
  std::string& output() { return output_; }

  // Sends channel.open. Returns 0 if no number is free.
  std::uint16_t open_channel();
  // Null if there is no such channel, or no longer.
  ProtocolChannel* channel(std::uint16_t number);
  // Sends channel.close; from the broker's answer on, channel() returns null. If that is not
  // possible or not necessary, the channel is forgotten at once.
  void close_channel(std::uint16_t number);

  // Returns false, and sends nothing, if a string is too long for the wire.
  template <class M>
  bool send(std::uint16_t channel, const M& method) {
    return amqp::append_method(output_, channel, method);
  }
  // Sends connection.close; state() becomes closed with the answer.
  void close();
  // Call this when the socket is closed, or the peer is silent.
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
  // Closes the connection because the broker has violated the protocol.
  void fail(amqp::ReplyCode code, const std::string& text);

  const ConnectionOptions options_;
  State state_ = State::handshake;
  bool greeted_ = false;  // the first bytes of the broker are no protocol header
  std::optional<CloseReason> reason_;
  bool blocked_ = false;
  std::uint32_t frame_max_;
  std::uint16_t channel_max_ = 0;
  std::uint16_t heartbeat_s_ = 0;
  std::string output_;
  std::map<std::uint16_t, ProtocolChannel> channels_;
};

}  // namespace haypile
