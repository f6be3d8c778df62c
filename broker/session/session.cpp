// The life of a connection: input, output, time, the end. The handshake is in handshake.cpp, what
// is done with channels in session_channels.cpp.
#include "session/session.hpp"

#include <algorithm>
#include <utility>

namespace haypile::session {

using amqp::ReplyCode;

Session::Session(Host& host, const Settings& settings, engine::OwnerId owner, Time now)
    : link_(host, settings, owner),
      started_(now),
      now_(now),
      last_received_(now),
      last_sent_(now),
      closing_since_(now) {}

Session::~Session() {
  drop_channels();
}

std::size_t Session::receive(std::string_view bytes, Time now) {
  now_ = last_received_ = now;
  if (phase_ == Phase::finished || framing_lost_) return bytes.size();
  std::size_t used = 0;
  if (phase_ == Phase::header) {
    used = receive_protocol_header(bytes);
    if (phase_ == Phase::header) return used;
  }
  while (phase_ != Phase::finished && !framing_lost_) {
    amqp::Frame frame;
    std::size_t size = 0;
    switch (amqp::parse_frame(bytes.substr(used), link_.frame_max_bytes, frame, size)) {
      case amqp::FrameStatus::complete:
        used += size;
        on_frame(frame);
        continue;
      case amqp::FrameStatus::incomplete:
        leave_channel();
        return used;
      case amqp::FrameStatus::bad_type:
        bad_frame("unknown frame type " + std::to_string(static_cast<unsigned char>(bytes[used])));
        break;
      case amqp::FrameStatus::too_large:
        bad_frame("frame larger than the maximum of " + std::to_string(link_.frame_max_bytes) +
                  " bytes");
        break;
      case amqp::FrameStatus::bad_end:
        bad_frame("frame without its end octet");
        break;
    }
  }
  leave_channel();
  return bytes.size();
}

void Session::bad_frame(const std::string& text) {
  if (phase_ != Phase::closing) fail({ReplyCode::frame_error, text});
  framing_lost_ = true;
}

void Session::on_frame(const amqp::Frame& frame) {
  if (phase_ == Phase::closing) return on_closing_frame(frame);
  if (frame.type == amqp::FrameType::heartbeat) {
    if (frame.channel != 0) {
      fail({ReplyCode::unexpected_frame,
            "heartbeat on channel " + std::to_string(frame.channel) + ", expected channel 0"});
    }
    return;
  }
  if (frame.channel == 0) return on_connection_frame(frame);
  if (phase_ != Phase::running) {
    fail({ReplyCode::command_invalid,
          "frame for channel " + std::to_string(frame.channel) + " before connection.open"});
    return;
  }
  on_channel_frame(frame);
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

void Session::on_closing_frame(const amqp::Frame& frame) {
  if (frame.channel != 0 || frame.type != amqp::FrameType::method) return;
  const amqp::MethodId id = amqp::peek_method_id(frame.payload);
  if (id == amqp::connection::CloseOk::id) {
    finish(std::move(reason_));
  } else if (id == amqp::connection::Close::id) {
    amqp::append_method(link_.output(), 0, amqp::connection::CloseOk{});
  }
}

void Session::take_output(std::string& into, Time now) {
  link_.take_output(into);
  last_sent_ = now;
}

void Session::output_sent(std::size_t size) {
  link_.sent(size);
  if (link_.unsent_size() > link_.settings.output_max_bytes / 2) return;
  for (const auto& channel : channels_) {
    if (channel) channel->resume();
  }
}

bool Session::wants_input() const {
  return link_.unsent_size() < 2 * link_.settings.output_max_bytes;
}

void Session::log_advanced() {
  link_.awaits_log = false;
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (!channels_[i]) continue;
    channels_[i]->log_advanced();
    if (channels_[i]->awaits_log()) link_.awaits_log = true;
    if (channels_[i]->finished()) remove_channel(static_cast<std::uint16_t>(i + 1));
  }
}

Time Session::deadline() const {
  if (phase_ == Phase::finished) return Time::max();
  if (phase_ == Phase::closing) return closing_since_ + link_.settings.close_timeout;
  Time when = Time::max();
  if (phase_ != Phase::running) when = started_ + link_.settings.handshake_timeout;
  if (heartbeat_.count() != 0) {
    when = std::min({when, last_received_ + 2 * heartbeat_, last_sent_ + heartbeat_ / 2});
  }
  return when;
}

void Session::tick(Time now) {
  now_ = now;
  if (phase_ == Phase::finished || now < deadline()) return;
  if (phase_ == Phase::closing) return finish(std::move(reason_));
  if (phase_ != Phase::running && now >= started_ + link_.settings.handshake_timeout) {
    return finish("handshake not finished in time");
  }
  if (now >= last_received_ + 2 * heartbeat_) return finish("two heartbeats missed");
  amqp::append_heartbeat(link_.output());
  last_sent_ = now;
}

void Session::disconnected() {
  finish(std::move(reason_));
}

void Session::shut_down(Time now) {
  now_ = now;
  if (phase_ == Phase::closing || phase_ == Phase::finished) return;
  if (phase_ == Phase::header) return finish("broker stopped");
  fail({ReplyCode::connection_forced, "broker stopped"});
}

void Session::fail(const Fault& fault, amqp::MethodId method) {
  const std::string text = reply_text(fault);
  reason_ = text;
  drop_channels();
  amqp::append_method(link_.output(), 0,
                      amqp::connection::Close{.reply_code = static_cast<std::uint16_t>(fault.code),
                                              .reply_text = text,
                                              .class_id = method.class_id,
                                              .method_id = method.method_id});
  phase_ = Phase::closing;
  closing_since_ = now_;
}

void Session::drop_channels() {
  current_ = nullptr;
  channels_.clear();
  link_.awaits_log = false;
  if (engine_ && std::exchange(link_.has_exclusive_queues, false)) {
    engine_->connection_closed(link_.owner);
  }
}

void Session::finish(std::string reason) {
  reason_ = std::move(reason);
  drop_channels();
  phase_ = Phase::finished;
}

}  // namespace haypile::session
