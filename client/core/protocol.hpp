// The client's side of AMQP 0-9-1 without I/O: bytes from the broker go in, events and bytes for
// the broker come out.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/methods.hpp>
#include <haypile/options.hpp>

#include "event.hpp"
#include "protocol_channel.hpp"

namespace haypile {

// A connection and its channels as a state machine. It belongs to one thread, or to one lock. It
// has no clock: `now` is handed in, and never goes back.
class Protocol {
 public:
  // The output begins with the protocol header. The protocol does the login itself; it ends with
  // Opened, or with Closed when the connection_timeout after `started` is over.
  Protocol(ConnectionOptions options, TimePoint started);

  // Returns how many bytes were used. Offer the rest again, with more bytes behind it.
  std::size_t receive(std::string_view bytes, TimePoint now);
  // Exchanges `into`, which must be empty, for the events since the last call.
  void take_events(std::vector<Event>& into) { into.swap(events_); }
  bool has_events() const { return !events_.empty(); }
  // The bytes to be sent, in this order. The caller takes them out.
  std::string& output() { return output_; }

  // When tick() has something to do, if nothing comes before; nothing if never.
  std::optional<TimePoint> deadline();
  // Ends the connection if the handshake, an answer or the broker's heartbeat is overdue, and does
  // what keep_alive() does. Everything that has come has to be received before.
  void tick(TimePoint now);
  // When keep_alive() has something to do; nothing if never.
  std::optional<TimePoint> keep_alive_deadline() const;
  // Sends a heartbeat if nothing was sent for half of the interval.
  void keep_alive(TimePoint now);
  // Call this when bytes have gone out.
  void sent(TimePoint now) { last_sent_ = now; }

  enum class State : std::uint8_t { handshake, open, closing, closed };
  State state() const { return state_; }
  // Why the connection is closed. Only valid then.
  const CloseReason& reason() const { return reason_; }
  bool blocked() const { return blocked_; }
  std::uint32_t frame_max_bytes() const { return frame_max_; }
  std::uint16_t heartbeat_s() const { return heartbeat_s_; }

  // Sends channel.open. Returns the number of the channel, 0 if none is free, and the request.
  std::pair<std::uint16_t, RequestId> open_channel(TimePoint now);
  // Sends channel.close. ChannelClosed comes with the broker's answer. Does nothing if the channel
  // has ended.
  void close_channel(std::uint16_t number, TimePoint now);
  // Whether a number is not free yet, but will be when the broker has answered.
  bool channel_is_closing() const;

  // The methods below are for channels that have not ended, of an open connection.

  // Sends a method that has no answer. Returns false, and sends nothing, if a string is too long
  // for the wire or the method for a frame.
  template <class M>
  bool send(std::uint16_t channel, const M& method);
  // Sends a method that is answered with `Ok`. Returns 0, and sends nothing, in the cases of
  // send().
  template <class Ok, class M>
  RequestId request(std::uint16_t channel, const M& method, TimePoint now);
  // Sends basic.get, which is answered with Got.
  RequestId get(std::uint16_t channel, const amqp::basic::Get& method, TimePoint now);
  // Sends a message. Returns its number if the channel confirms messages, otherwise 0. Returns
  // nothing, and sends nothing, if a name is too long, or the properties for a frame.
  std::optional<std::uint64_t> publish(std::uint16_t channel, const amqp::basic::Publish& method,
                                       std::string_view raw_properties, std::string_view body);

  // Sends connection.close. Closed comes with the answer, or after `timeout`.
  void close(TimePoint now, Clock::duration timeout);
  // Call this when the socket has ended.
  void lost(const std::string& why) { end({Ending::lost, 0, why, ""}); }

 private:
  void on_frame(const amqp::Frame& frame);
  void on_connection_method(const amqp::Frame& frame);
  void on_handshake_method(amqp::MethodId id, std::string_view arguments);
  void on_start(std::string_view arguments);
  void on_tune(std::string_view arguments);
  void on_blocked(amqp::MethodId id, std::string_view arguments);
  void on_close(std::string_view arguments);
  void on_channel_frame(std::uint16_t number, ProtocolChannel& channel, const amqp::Frame& frame);
  void on_closing_channel_frame(std::uint16_t number, const amqp::Frame& frame);
  void on_channel_method(std::uint16_t number, ProtocolChannel& channel, const amqp::Frame& frame);
  void on_answer(std::uint16_t number, ProtocolChannel& channel, amqp::MethodId id,
                 std::string_view arguments);
  void on_channel_close(std::uint16_t number, std::string_view arguments);
  void on_confirm(std::uint16_t number, const ProtocolChannel& channel, amqp::MethodId id,
                  std::string_view arguments);
  void on_content_method(ProtocolChannel& channel, amqp::MethodId id, std::string_view arguments);
  void on_header(std::uint16_t number, ProtocolChannel& channel, const amqp::Frame& frame);
  void on_body(std::uint16_t number, ProtocolChannel& channel, const amqp::Frame& frame);
  void finish_content(std::uint16_t number, ProtocolChannel& channel);
  RequestId expect_answer(std::uint16_t number, PendingRequest request, TimePoint now);
  void end_channel(std::uint16_t number, CloseReason reason);
  void end(CloseReason reason);
  // Closes the connection because the broker has violated the protocol.
  void fail(amqp::ReplyCode code, const std::string& text);
  template <class M>
  bool decode(std::string_view arguments, M& method);
  template <class M>
  static bool is_well_formed(std::string_view arguments);

  const ConnectionOptions options_;
  State state_ = State::handshake;
  // What has come of the handshake.
  enum class Step : std::uint8_t { nothing, bytes, start, tune };
  Step step_ = Step::nothing;
  CloseReason reason_;
  bool blocked_ = false;
  std::uint32_t frame_max_;
  std::uint16_t channel_max_ = 0;
  std::uint16_t heartbeat_s_ = 0;

  TimePoint state_deadline_;  // of the handshake, and of closing
  TimePoint last_received_;
  TimePoint last_sent_;
  // When the answers are overdue, earliest first. Requests that were answered are left in it until
  // they come to the front.
  struct Overdue {
    TimePoint at;
    std::uint16_t channel;
    RequestId request;
  };
  std::deque<Overdue> overdue_;
  RequestId last_request_ = 0;

  std::string output_;
  std::vector<Event> events_;
  std::map<std::uint16_t, ProtocolChannel> channels_;
};

template <class M>
bool Protocol::send(std::uint16_t channel, const M& method) {
  // A method cannot be split into frames.
  if (amqp::method_frame_size(method) > frame_max_) return false;
  return amqp::append_method(output_, channel, method);
}

template <class M>
bool Protocol::is_well_formed(std::string_view arguments) {
  M method;
  return amqp::decode_arguments(arguments, method) == amqp::DecodeError::none;
}

template <class Ok, class M>
RequestId Protocol::request(std::uint16_t channel, const M& method, TimePoint now) {
  if (!send(channel, method)) return 0;
  return expect_answer(
      channel, {.answer = Ok::id, .other_answer = Ok::id, .well_formed = is_well_formed<Ok>}, now);
}

template <class M>
bool Protocol::decode(std::string_view arguments, M& method) {
  const amqp::DecodeError error = amqp::decode_arguments(arguments, method);
  if (error == amqp::DecodeError::none) return true;
  fail(amqp::ReplyCode::syntax_error,
       "malformed " + std::string(M::name) + ": " + std::string(amqp::text(error)));
  return false;
}

}  // namespace haypile
