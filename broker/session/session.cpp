// The life of a connection: input, output, time, the end. session_channels.cpp handles its
// channels, session_pause.cpp its pauses.
#include "session/session.hpp"

#include <algorithm>
#include <utility>

namespace haypile::session {

using amqp::ReplyCode;

// What moves a session from one phase to the next:
// - opening -> running: connection.open was accepted, see begin().
// - opening, running -> leaving: the client sent connection.close, see on_close(). close-ok waits
//   until everything that the client published is durable.
// - any but closing and finished -> closing: fail() sent connection.close. From then on only the
//   peer's close and close-ok count.
// - any -> finished: finish(), after a close-ok in either direction, when the handshake is refused,
//   on a timeout, or when the socket is closed.
// There are channels in the phase `running` only: every way out of it calls drop_channels().
Session::Session(SessionHost& host, const Settings& settings, engine::OwnerId owner, Time now)
    : context_(host, settings, owner, now),
      started_(now),
      last_heard_(now),
      last_sent_(now),
      closing_since_(now),
      paused_since_(now),
      last_progress_(now),
      went_on_(now),
      handshake_(std::in_place, host, settings) {}

Session::Session(SessionHost& host, const Settings& settings, engine::OwnerId owner, Opened opened,
                 Time now)
    : Session(host, settings, owner, now) {
  begin(std::move(opened));
}

Session::~Session() {
  drop_channels();
}

void Session::begin(Opened opened) {
  context_.user = std::move(opened.user);
  context_.frame_max_bytes = opened.frame_max_bytes;
  context_.wants_cancel_notify = opened.wants_cancel_notify;
  context_.wants_blocked = opened.wants_blocked;
  context_.qos_is_for_channel = opened.qos_is_for_channel;
  channel_max_ = opened.channel_max;
  heartbeat_ = opened.heartbeat;
  engine_ = opened.engine;
  phase_ = Phase::running;
  handshake_.reset();
}

std::size_t Session::receive(std::string_view bytes, Time now) {
  context_.now = last_heard_ = now;
  pause_ = Pause::none;
  std::size_t used = 0;
  if (handshake_ && handshake_->state() == Handshake::State::header && !ignores_input()) {
    used = handshake_->receive_header(bytes, context_.output().frames());
    if (handshake_->state() == Handshake::State::refused) finish(handshake_->reason());
    if (handshake_->state() == Handshake::State::header) return used;
  }
  publishers_wait_ = engine_ && context_.host.publishers_must_wait();
  if (!publishers_wait_) end_alarm();
  amqp::Frame frame;
  std::size_t size = 0;
  // A frame that begins a pause does not count as used, so it is offered again after the pause. Two
  // pauses begin behind a frame: `login`, which continues with the host's answer, and `turn` when
  // the frame used up the connection's share.
  while (!ignores_input()) {
    switch (amqp::parse_frame(bytes.substr(used), context_.frame_max_bytes, frame, size)) {
      case amqp::FrameStatus::complete:
        on_frame(frame);
        if (pause_ == Pause::none) {
          used += size;
          if (!engine_ || !engine_->work().is_share_used_up()) continue;
          pause_ = Pause::turn;
        } else if (pause_ == Pause::login) {
          used += size;
        }
        break;
      case amqp::FrameStatus::incomplete:
        break;
      case amqp::FrameStatus::bad_type:
        bad_frame("unknown frame type " + std::to_string(static_cast<unsigned char>(bytes[used])));
        continue;
      case amqp::FrameStatus::too_large:
        bad_frame("frame larger than the maximum of " + std::to_string(context_.frame_max_bytes) +
                  " bytes");
        continue;
      case amqp::FrameStatus::bad_end:
        bad_frame("frame without its end octet");
        continue;
    }
    break;
  }
  // Confirms come first, because account() counts them. A channel that was refused a message is
  // closed here, because the engine may have been in the middle of a call at that time.
  leave_channel();
  if (context_.has_refused) close_refused();
  context_.account();
  if (ignores_input()) {
    pause_ = Pause::none;
    return bytes.size();
  }
  if (engine_) engine_->work().spend_bytes(used);
  return used;
}

// After a close, ours or the client's, nothing more is said about what comes: the close-ok is next.
void Session::bad_frame(const std::string& text) {
  if (phase_ != Phase::closing && phase_ != Phase::leaving) fail({ReplyCode::frame_error, text});
  framing_lost_ = true;
}

void Session::on_other_frame(const amqp::Frame& frame) {
  if (phase_ == Phase::leaving) return;
  if (phase_ == Phase::closing) return on_closing_frame(frame);
  if (frame.type == amqp::FrameType::heartbeat) {
    if (frame.channel != 0) {
      fail({ReplyCode::unexpected_frame,
            "heartbeat on channel " + std::to_string(frame.channel) + ", expected channel 0"});
    } else if (!frame.payload.empty()) {
      fail({ReplyCode::frame_error, "heartbeat with a payload"});
    }
    return;
  }
  if (frame.channel == 0) return on_connection_frame(frame);
  fail({ReplyCode::unexpected_frame,
        "frame for channel " + std::to_string(frame.channel) + " before connection.open"});
}

void Session::on_connection_frame(const amqp::Frame& frame) {
  if (frame.type != amqp::FrameType::method) {
    fail({ReplyCode::unexpected_frame, "content on channel 0"});
    return;
  }
  if (Fault fault = on_connection_method(frame.payload)) {
    fail(fault, amqp::peek_method_id(frame.payload));
  }
}

Fault Session::on_connection_method(std::string_view payload) {
  const amqp::MethodId id = amqp::peek_method_id(payload);
  const std::string_view arguments = payload.substr(std::min(payload.size(), std::size_t{4}));
  if (id == amqp::connection::Close::id) return on_close(arguments);
  if (handshake_) return on_handshake_method(payload);
  if (payload.size() < amqp::method_id_size) return too_short_for_a_method();
  if (id == amqp::connection::UpdateSecret::id) {
    amqp::connection::UpdateSecret update;
    const amqp::DecodeError error = amqp::decode_arguments(arguments, update);
    if (error != amqp::DecodeError::none) return malformed(update.name, error);
    context_.send(0, amqp::connection::UpdateSecretOk{});
    return {};
  }
  const std::string_view name = amqp::method_name(id);
  if (name == "unknown") return unknown_method(id);
  return {ReplyCode::channel_error, "unexpected method " + std::string(name) + " on channel 0"};
}

Fault Session::on_handshake_method(std::string_view payload) {
  return after_handshake_step(handshake_->on_method(payload, context_.output().frames()));
}

Fault Session::after_handshake_step(Fault fault) {
  if (fault) return fault;
  switch (handshake_->state()) {
    case Handshake::State::login:
      enter(Pause::login);
      break;
    case Handshake::State::refused:
      finish(handshake_->reason());
      break;
    case Handshake::State::open:
      context_.frame_max_bytes = handshake_->opened().frame_max_bytes;
      heartbeat_ = handshake_->opened().heartbeat;
      break;
    case Handshake::State::opened:
      begin(handshake_->take_opened());
      break;
    default:
      break;
  }
  return {};
}

void Session::login_answered(bool is_accepted, Time now) {
  if (!handshake_ || phase_ != Phase::opening) return;
  context_.now = last_heard_ = now;
  pause_ = Pause::none;
  const Fault fault =
      after_handshake_step(handshake_->login_answered(is_accepted, context_.output().frames()));
  if (fault) fail(fault, amqp::connection::StartOk::id);
}

// What the client published before connection.close is durable when close-ok is sent, with or
// without confirms.
Fault Session::on_close(std::string_view arguments) {
  amqp::connection::Close close;
  const amqp::DecodeError error = amqp::decode_arguments(arguments, close);
  if (error != amqp::DecodeError::none) return malformed(close.name, error);
  const bool has_published = has_ever_published_ || std::ranges::any_of(channels_, [](auto& each) {
                               return each.second->has_ever_published();
                             });
  leaves_at_ = has_published ? engine_->journal().end() : 0;
  drop_channels();
  phase_ = Phase::leaving;
  if (leaves_at_ == 0 || engine_->journal().durable() >= leaves_at_) say_goodbye();
  return {};
}

void Session::say_goodbye() {
  context_.send(0, amqp::connection::CloseOk{});
  finish({});
  closed_by_client_ = true;
}

void Session::on_closing_frame(const amqp::Frame& frame) {
  if (frame.channel != 0 || frame.type != amqp::FrameType::method) return;
  const amqp::MethodId id = amqp::peek_method_id(frame.payload);
  if (id == amqp::connection::CloseOk::id) {
    finish(std::move(reason_));
  } else if (id == amqp::connection::Close::id) {
    context_.send(0, amqp::connection::CloseOk{});
  }
}

// A client that makes room in a full socket is alive. A write to a socket that had room shows
// nothing about the client.
void Session::output_sent(std::size_t size, Time now) {
  context_.sent(size);
  if (size > 0) {
    last_sent_ = last_progress_ = now;
    if (std::exchange(socket_was_full_, has_output())) last_heard_ = std::max(last_heard_, now);
  } else {
    socket_was_full_ = has_output();
  }
  if (!context_.room_was_refused || context_.unsent_size() > context_.output_max_bytes() / 2)
    return;
  context_.room_was_refused = false;
  for (const auto& [number, channel] : channels_)
    channel->resume();
}

// Channels that have to wait longer list themselves again.
void Session::log_advanced() {
  advanced_.clear();
  advanced_.swap(context_.awaiting_log);
  for (const std::uint16_t number : advanced_) {
    const auto found = channels_.find(number);
    if (found == channels_.end()) continue;  // closed meanwhile
    found->second->log_advanced();
    if (found->second->finished()) remove_channel(number);
  }
  context_.account();
  if (phase_ == Phase::leaving && engine_->journal().durable() >= leaves_at_) say_goodbye();
}

Time Session::deadline() const {
  if (phase_ == Phase::finished) return Time::max();
  if (phase_ == Phase::closing) return closing_since_ + context_.settings.close_timeout;
  if (context_.has_refused) return context_.now;
  Time when = std::min(pause_deadline(), unfinished_check_);
  if (phase_ == Phase::opening)
    when = std::min(when, started_ + context_.settings.handshake_timeout);
  if (heartbeat_.count() != 0) {
    when = std::min(when, last_sent_ + heartbeat_ / 2);
    if (is_receiving()) when = std::min(when, last_heard_ + 2 * heartbeat_);
  }
  return when;
}

void Session::tick(Time now) {
  context_.now = now;
  if (phase_ == Phase::finished || now < deadline()) return;
  if (phase_ == Phase::closing) return finish(std::move(reason_));
  close_refused();
  if (phase_ == Phase::opening && now >= started_ + context_.settings.handshake_timeout) {
    return finish("handshake not finished in time");
  }
  if (now >= pause_deadline()) return finish(pause_reason());
  if (now >= unfinished_check_) check_unfinished(now);
  if (phase_ == Phase::finished || heartbeat_.count() == 0) return;
  if (is_receiving() && now >= last_heard_ + 2 * heartbeat_) {
    return finish("two heartbeats missed");
  }
  if (now < last_sent_ + heartbeat_ / 2) return;
  context_.append([this] { amqp::append_heartbeat(context_.output().frames()); });
  last_sent_ = now;
}

void Session::disconnected() {
  finish(std::move(reason_));
  context_.clear();
}

void Session::shut_down(Time now) {
  context_.now = now;
  if (phase_ == Phase::leaving || phase_ == Phase::closing || phase_ == Phase::finished) return;
  if (handshake_ && handshake_->state() == Handshake::State::header) {
    return finish("broker stopped");
  }
  fail({ReplyCode::connection_forced, "broker forced connection closure with reason 'shutdown'"});
}

void Session::fail(const Fault& fault, amqp::MethodId method) {
  const std::string text = reply_text(fault);
  reason_ = text;
  drop_channels();
  context_.send(0, amqp::connection::Close{.reply_code = static_cast<std::uint16_t>(fault.code),
                                           .reply_text = text,
                                           .class_id = method.class_id,
                                           .method_id = method.method_id});
  phase_ = Phase::closing;
  pause_ = Pause::none;
  closing_since_ = context_.now;
}

void Session::stop_deliveries() {
  for (const auto& [number, channel] : channels_)
    channel->stop_deliveries();
}

void Session::drop_channels() {
  // First, so that messages that one channel returns do not go to another one of this session.
  stop_deliveries();
  current_ = nullptr;
  channels_.clear();
  context_.awaiting_log.clear();
  unfinished_check_ = Time::max();
  if (engine_ && std::exchange(context_.has_exclusive_queues, false)) {
    engine_->connection_closed(context_.owner);
  }
}

void Session::finish(std::string reason) {
  reason_ = std::move(reason);
  drop_channels();
  phase_ = Phase::finished;
  pause_ = Pause::none;
}

}  // namespace haypile::session
