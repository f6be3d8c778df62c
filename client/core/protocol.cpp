// The connection: handshake, frames, time, the end. Channels are in protocol_channel.cpp.
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
// - handshake: start is answered with start-ok, tune with tune-ok and connection.open; step_ says
//   how far it is.
//   -> open, when open-ok comes
// - open: methods and messages in both directions.
//   -> closing, when close() sends connection.close
// - closing: everything except the broker's close and close-ok is ignored.
//   -> closed, with close-ok
// - closed: the end. Each state leads here with the broker's close, with lost(), when tick() finds
//   something overdue, and with fail(), which still sends connection.close but waits for no answer.
//   close() leads here at once during the handshake. Closed is the last event.
Protocol::Protocol(ConnectionOptions options, TimePoint started)
    : options_(std::move(options)),
      frame_max_(std::max(handshake_frame_max, options_.frame_max_bytes)),
      state_deadline_(started + options_.connection_timeout),
      last_received_(started),
      last_sent_(started),
      output_(amqp::protocol_header) {}

std::size_t Protocol::receive(std::string_view bytes, TimePoint now) {
  last_received_ = now;
  if (step_ == Step::nothing) {
    const std::size_t size = std::min(bytes.size(), header_start.size());
    const bool is_header = bytes.substr(0, size) == header_start.substr(0, size);
    if (is_header && size < header_start.size()) return 0;
    step_ = Step::bytes;
    if (is_header) lost("the broker does not speak AMQP 0-9-1");
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
    return end({Ending::ours, 0, "the connection has been closed", ""});
  }
  if (state_ == State::closing) return;
  if (id == amqp::connection::Blocked::id || id == amqp::connection::Unblocked::id) {
    return on_blocked(id, arguments);
  }
  if (state_ == State::handshake) return on_handshake_method(id, arguments);
  fail(ReplyCode::command_invalid, "unexpected " + std::string(amqp::method_name(id)));
}

void Protocol::on_handshake_method(amqp::MethodId id, std::string_view arguments) {
  if (id == amqp::connection::Start::id && step_ == Step::bytes) {
    step_ = Step::start;
    return on_start(arguments);
  }
  if (id == amqp::connection::Tune::id && step_ == Step::start) {
    step_ = Step::tune;
    return on_tune(arguments);
  }
  if (id == amqp::connection::OpenOk::id && step_ == Step::tune) {
    state_ = State::open;
    events_.emplace_back(event::Opened{});
    return;
  }
  fail(ReplyCode::command_invalid, "unexpected " + std::string(amqp::method_name(id)));
}

void Protocol::on_start(std::string_view arguments) {
  amqp::connection::Start start;
  if (!decode(arguments, start)) return;
  const std::string mechanism = options_.external_login ? "EXTERNAL" : "PLAIN";
  const std::string mechanisms = std::string(" ").append(start.mechanisms).append(" ");
  if (mechanisms.find(" " + mechanism + " ") == std::string::npos) {
    return lost("the broker offers no login with " + mechanism +
                ", only: " + std::string(start.mechanisms));
  }
  const amqp::Table capabilities{
      {"publisher_confirms", true}, {"exchange_exchange_bindings", true},
      {"basic.nack", true},         {"consumer_cancel_notify", true},
      {"connection.blocked", true}, {"authentication_failure_close", true}};
  amqp::Table properties{{"product", "Haypile client"}, {"capabilities", capabilities}};
  if (!options_.connection_name.empty()) {
    properties.set("connection_name", options_.connection_name);
  }
  std::string response;  // of EXTERNAL: empty, the certificate says who it is
  if (!options_.external_login) {
    response.append(1, '\0').append(options_.user).append(1, '\0').append(options_.password);
  }
  send(0, amqp::connection::StartOk{.client_properties = properties.view(),
                                    .mechanism = mechanism,
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

void Protocol::on_blocked(amqp::MethodId id, std::string_view arguments) {
  amqp::connection::Blocked blocked;
  amqp::connection::Unblocked unblocked;
  blocked_ = id == amqp::connection::Blocked::id;
  if (blocked_ ? !decode(arguments, blocked) : !decode(arguments, unblocked)) return;
  events_.emplace_back(event::Blocked{blocked_, std::string(blocked.reason)});
}

void Protocol::on_close(std::string_view arguments) {
  amqp::connection::Close close;
  if (!decode(arguments, close)) return;
  const amqp::MethodId method{close.class_id, close.method_id};
  send(0, amqp::connection::CloseOk{});
  end({Ending::broker, close.reply_code, std::string(close.reply_text),
       method == amqp::MethodId{} ? "" : std::string(amqp::method_name(method))});
}

void Protocol::close(TimePoint now, Clock::duration timeout) {
  if (state_ == State::closing || state_ == State::closed) return;
  if (state_ == State::handshake) {
    return end({Ending::ours, 0, "the connection has been closed", ""});
  }
  send(0, amqp::connection::Close{.reply_code = 200, .reply_text = "bye"});
  state_ = State::closing;
  state_deadline_ = now + timeout;
}

void Protocol::fail(ReplyCode code, const std::string& text) {
  if (state_ == State::closed) return;
  const auto number = static_cast<std::uint16_t>(code);
  send(0,
       amqp::connection::Close{.reply_code = number, .reply_text = amqp::clip_short_string(text)});
  end({Ending::broken_protocol, number, "broken protocol: " + text, ""});
}

void Protocol::end(CloseReason reason) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  reason_ = reason;
  channels_.clear();
  overdue_.clear();
  events_.emplace_back(event::Closed{std::move(reason)});
}

std::optional<TimePoint> Protocol::deadline() {
  if (state_ == State::closed) return std::nullopt;
  std::optional<TimePoint> earliest = keep_alive_deadline();
  const auto consider = [&earliest](TimePoint at) {
    if (!earliest || at < *earliest) earliest = at;
  };
  if (state_ != State::open) consider(state_deadline_);
  if (heartbeat_s_ != 0) consider(last_received_ + 2 * std::chrono::seconds(heartbeat_s_));
  // An answer that has come makes room for the next request that waits.
  while (!overdue_.empty()) {
    const auto found = channels_.find(overdue_.front().channel);
    if (found != channels_.end() && !found->second.requests.empty() &&
        found->second.requests.front().id <= overdue_.front().request) {
      break;
    }
    overdue_.pop_front();
  }
  if (!overdue_.empty() && state_ == State::open) consider(overdue_.front().at);
  return earliest;
}

void Protocol::tick(TimePoint now) {
  const auto next = deadline();
  if (!next || now < *next) return;
  if (state_ == State::closing && now >= state_deadline_) {
    return end({Ending::timed_out, 0, "the broker has not answered the goodbye in time", ""});
  }
  if (state_ == State::handshake && now >= state_deadline_) {
    return end({Ending::timed_out, 0, "the broker did not finish the handshake in time", ""});
  }
  if (heartbeat_s_ != 0 && now >= last_received_ + 2 * std::chrono::seconds(heartbeat_s_)) {
    return lost("connection lost: two heartbeats missed");
  }
  if (state_ == State::open && !overdue_.empty() && now >= overdue_.front().at) {
    return end(
        {Ending::timed_out, 0, "the broker did not answer in time; the connection is closed", ""});
  }
  keep_alive(now);
}

std::optional<TimePoint> Protocol::keep_alive_deadline() const {
  if (heartbeat_s_ == 0 || state_ == State::closed) return std::nullopt;
  return last_sent_ + std::chrono::milliseconds(heartbeat_s_ * 500);
}

void Protocol::keep_alive(TimePoint now) {
  const auto due = keep_alive_deadline();
  if (!due || now < *due) return;
  amqp::append_heartbeat(output_);
  last_sent_ = now;
}

}  // namespace haypile
