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
  stalled_ = false;
  if (phase_ == Phase::header) {
    used = receive_protocol_header(bytes);
    if (phase_ == Phase::header) return used;
  }
  while (phase_ != Phase::finished && !framing_lost_) {
    if (!wants_input()) {
      stalled_ = true;
      leave_channel();
      return used;
    }
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
  if (phase_ == Phase::running && frame.channel != 0 && frame.type != amqp::FrameType::heartbeat) {
    on_channel_frame(frame);
  } else {
    on_other_frame(frame);
  }
}

void Session::on_other_frame(const amqp::Frame& frame) {
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
  if (!std::exchange(link_.room_was_refused, false)) return;
  for (const auto& channel : channels_) {
    if (channel) channel->resume();
  }
}

bool Session::wants_input() const {
  const std::size_t max = 2 * link_.settings.output_max_bytes;
  return link_.unsent_size() < max && (!current_ || current_->held_size() < max);
}

// Those that have to wait longer list themselves again.
void Session::log_advanced() {
  advanced_.clear();
  advanced_.swap(link_.awaiting_log);
  for (const std::uint16_t number : advanced_) {
    Channel* channel = channels_[number - 1u].get();
    if (!channel) continue;  // closed since
    channel->log_advanced();
    if (channel->finished()) remove_channel(number);
  }
}

Time Session::deadline() const {
  if (phase_ == Phase::finished) return Time::max();
  if (phase_ == Phase::closing) return closing_since_ + link_.settings.close_timeout;
  Time when = Time::max();
  if (phase_ != Phase::running) when = started_ + link_.settings.handshake_timeout;
  if (heartbeat_.count() != 0) {
    when = std::min(when, last_sent_ + heartbeat_ / 2);
    if (!held_back_) when = std::min(when, last_received_ + 2 * heartbeat_);
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
  if (!held_back_ && now >= last_received_ + 2 * heartbeat_) {
    return finish("two heartbeats missed");
  }
  amqp::append_heartbeat(link_.output());
  last_sent_ = now;
}

void Session::hold_back(std::string_view reason) {
  held_back_ = true;
  if (reason.empty() || told_blocked_ || !link_.wants_blocked || phase_ != Phase::running) return;
  told_blocked_ = true;
  amqp::append_method(link_.output(), 0, amqp::connection::Blocked{.reason = reason});
}

void Session::go_on(Time now) {
  if (std::exchange(held_back_, false)) last_received_ = now;
  if (!std::exchange(told_blocked_, false) || phase_ != Phase::running) return;
  amqp::append_method(link_.output(), 0, amqp::connection::Unblocked{});
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

void Session::stop_deliveries() {
  for (const auto& channel : channels_) {
    if (channel) channel->stop_deliveries();
  }
}

void Session::drop_channels() {
  stop_deliveries();
  current_ = nullptr;
  channels_.clear();
  link_.awaiting_log.clear();
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
