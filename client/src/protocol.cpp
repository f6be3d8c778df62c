// The connection: handshake, frames, the end. Channels are in protocol_channel.cpp.
#include "protocol.hpp"

#include <algorithm>
#include <utility>

namespace haypile {

using amqp::ReplyCode;

namespace {

// The largest frame before tune: a broker may use larger frames at the start of the connection than
// the client will accept later.
constexpr std::uint32_t handshake_frame_max = 131072;

// A broker of another version answers with its own protocol header and closes.
constexpr std::string_view header_start = "AMQP";

std::uint32_t lower_limit(std::uint32_t ours, std::uint32_t theirs) {
  if (ours == 0 || theirs == 0) return std::max(ours, theirs);
  return std::min(ours, theirs);
}

}  // namespace

// The states, and what leads from one to the next:
// - handshake: start is answered with start-ok, tune with tune-ok and connection.open.
//   -> open, when open-ok comes
// - open: methods and messages in both directions.
//   -> closing, when close() sends connection.close
// - closing: everything except the broker's close and close-ok is ignored.
//   -> closed, with close-ok
// - closed: the end. Each state leads here with the broker's close, with lost(), and with fail(),
//   which still sends connection.close but waits for no answer. reason() says why, and is empty
//   after close(), which needs no answer during the handshake.
Protocol::Protocol(ConnectionOptions options)
    : options_(std::move(options)),
      frame_max_(std::max(handshake_frame_max, options_.frame_max_bytes)),
      output_(amqp::protocol_header) {}

std::size_t Protocol::receive(std::string_view bytes) {
  if (state_ == State::handshake && !greeted_) {
    const std::size_t size = std::min(bytes.size(), header_start.size());
    greeted_ = bytes.substr(0, size) != header_start.substr(0, size);
    if (!greeted_ && size < header_start.size()) return 0;
    if (!greeted_) lost("the broker does not speak AMQP 0-9-1");
  }
  std::size_t used = 0;
  while (state_ != State::closed) {
    amqp::Frame frame;
    std::size_t size = 0;
    switch (amqp::parse_frame(bytes.substr(used), frame_max_, frame, size)) {
      case amqp::FrameStatus::complete:
        used += size;
        on_frame(frame);
        continue;
      case amqp::FrameStatus::incomplete:
        return used;
      default:
        fail(ReplyCode::frame_error, "malformed frame");
        return bytes.size();
    }
  }
  return bytes.size();
}

void Protocol::on_frame(const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::heartbeat) return;
  if (frame.channel == 0) {
    if (frame.type != amqp::FrameType::method) {
      return fail(ReplyCode::unexpected_frame, "content on channel 0");
    }
    return on_connection_method(frame);
  }
  if (state_ == State::closing) return;
  const auto found = channels_.find(frame.channel);
  if (found == channels_.end()) {
    return fail(ReplyCode::channel_error,
                "frame on channel " + std::to_string(frame.channel) + ", which is not open");
  }
  on_channel_frame(frame.channel, found->second, frame);
}

void Protocol::on_connection_method(const amqp::Frame& frame) {
  const amqp::MethodId id = amqp::peek_method_id(frame.payload);
  const std::string_view arguments =
      frame.payload.substr(std::min(frame.payload.size(), amqp::method_id_size));
  if (id == amqp::connection::Close::id) return on_close(arguments);
  if (id == amqp::connection::CloseOk::id && state_ == State::closing) {
    state_ = State::closed;
    return;
  }
  if (state_ == State::closing) return;
  if (id == amqp::connection::Blocked::id || id == amqp::connection::Unblocked::id) {
    blocked_ = id == amqp::connection::Blocked::id;
    return;
  }
  if (state_ == State::handshake) {
    if (id == amqp::connection::Start::id) return on_start(arguments);
    if (id == amqp::connection::Tune::id) return on_tune(arguments);
    if (id == amqp::connection::OpenOk::id) {
      state_ = State::open;
      return;
    }
  }
  fail(ReplyCode::command_invalid, "unexpected " + std::string(amqp::method_name(id)));
}

void Protocol::on_start(std::string_view arguments) {
  amqp::connection::Start start;
  if (!decode(arguments, start)) return;
  const std::string mechanisms = std::string(" ").append(start.mechanisms).append(" ");
  if (mechanisms.find(" PLAIN ") == std::string::npos) {
    return lost("the broker offers no login with PLAIN, only: " + std::string(start.mechanisms));
  }
  const amqp::Table capabilities{
      {"publisher_confirms", true}, {"exchange_exchange_bindings", true},
      {"basic.nack", true},         {"consumer_cancel_notify", true},
      {"connection.blocked", true}, {"authentication_failure_close", true}};
  amqp::Table properties{{"product", "Haypile client"}, {"capabilities", capabilities}};
  if (!options_.connection_name.empty()) {
    properties.set("connection_name", options_.connection_name);
  }
  std::string response;
  response.append(1, '\0').append(options_.user).append(1, '\0').append(options_.password);
  send(0, amqp::connection::StartOk{.client_properties = properties.view(),
                                    .mechanism = "PLAIN",
                                    .response = response,
                                    .locale = "en_US"});
}

void Protocol::on_tune(std::string_view arguments) {
  amqp::connection::Tune tune;
  if (!decode(arguments, tune)) return;
  if (tune.frame_max != 0 && tune.frame_max < amqp::frame_min_size) {
    return fail(ReplyCode::not_allowed, "frame_max of " + std::to_string(tune.frame_max));
  }
  channel_max_ = static_cast<std::uint16_t>(lower_limit(options_.channel_max, tune.channel_max));
  if (channel_max_ == 0) channel_max_ = UINT16_MAX;
  frame_max_ = std::max<std::uint32_t>(lower_limit(options_.frame_max_bytes, tune.frame_max),
                                       amqp::frame_min_size);
  heartbeat_s_ = options_.heartbeat_s.value_or(tune.heartbeat);
  send(0, amqp::connection::TuneOk{
              .channel_max = channel_max_, .frame_max = frame_max_, .heartbeat = heartbeat_s_});
  if (!send(0, amqp::connection::Open{.virtual_host = options_.virtual_host})) {
    lost("the name of the vhost is longer than 255 bytes");
  }
}

void Protocol::on_close(std::string_view arguments) {
  amqp::connection::Close close;
  if (!decode(arguments, close)) return;
  const amqp::MethodId method{close.class_id, close.method_id};
  reason_ = CloseReason{close.reply_code, std::string(close.reply_text),
                        method == amqp::MethodId{} ? "" : std::string(amqp::method_name(method))};
  send(0, amqp::connection::CloseOk{});
  state_ = State::closed;
}

void Protocol::close() {
  if (state_ == State::handshake || state_ == State::closed) {
    state_ = State::closed;
    return;
  }
  if (state_ == State::closing) return;
  send(0, amqp::connection::Close{.reply_code = 200, .reply_text = "bye"});
  state_ = State::closing;
}

void Protocol::lost(const std::string& why) {
  if (state_ == State::closed) return;
  reason_ = CloseReason{0, why, ""};
  state_ = State::closed;
}

void Protocol::fail(ReplyCode code, const std::string& text) {
  if (state_ == State::closed) return;
  const auto number = static_cast<std::uint16_t>(code);
  reason_ = CloseReason{number, "broken protocol: " + text, ""};
  send(0,
       amqp::connection::Close{.reply_code = number, .reply_text = amqp::clip_short_string(text)});
  state_ = State::closed;
}

std::uint16_t Protocol::open_channel() {
  std::uint32_t number = 1;
  for (const auto& [used, channel] : channels_) {
    if (used != number) break;
    ++number;
  }
  if (number > channel_max_) return 0;
  const auto free = static_cast<std::uint16_t>(number);
  channels_.try_emplace(free);
  send(free, amqp::channel::Open{});
  return free;
}

ProtocolChannel* Protocol::channel(std::uint16_t number) {
  const auto found = channels_.find(number);
  return found == channels_.end() ? nullptr : &found->second;
}

void Protocol::close_channel(std::uint16_t number) {
  ProtocolChannel* closed = channel(number);
  if (!closed || closed->closed || state_ != State::open) return forget_channel(number);
  closed->closing = true;
  send(number, amqp::channel::Close{.reply_code = 200, .reply_text = "bye"});
}

void Protocol::forget_channel(std::uint16_t number) {
  channels_.erase(number);
}

}  // namespace haypile
