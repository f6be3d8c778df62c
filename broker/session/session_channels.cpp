// The channels of a connection: which frame is for which channel, and how channels open and close.
#include "session/session.hpp"

namespace haypile::session {

using amqp::ReplyCode;

Channel* Session::change_channel(std::uint16_t number) {
  leave_channel();
  const auto found = channels_.find(number);
  if (found == channels_.end()) return nullptr;
  current_ = found->second.get();
  current_number_ = number;
  return current_;
}

void Session::leave_channel() {
  if (current_) current_->end_of_input();
  current_ = nullptr;
}

// A message that one channel returns may be refused by another one, which sets has_refused again.
void Session::close_refused() {
  while (std::exchange(context_.has_refused, false)) {
    for (const auto& [number, channel] : channels_)
      channel->close_if_refused();
  }
}

void Session::remove_channel(std::uint16_t number) {
  const auto found = channels_.find(number);
  if (current_ == found->second.get()) current_ = nullptr;
  has_ever_published_ = has_ever_published_ || found->second->has_ever_published();
  channels_.erase(found);
}

// Contains everything that an ordinary message needs, and no texts, which are made elsewhere.
void Session::on_channel_frame(const amqp::Frame& frame) {
  Channel* channel = find_channel(frame.channel);
  const bool is_method = frame.type == amqp::FrameType::method;
  const amqp::MethodId id = is_method ? amqp::peek_method_id(frame.payload) : amqp::MethodId{};
  if (!channel || channel->state() != Channel::State::open ||
      id.class_id == amqp::channel::Open::id.class_id) {
    return on_rare_frame(channel, frame);
  }
  const std::size_t wanted_room = is_method ? 0 : channel->room_wanted(frame);
  if (wanted_room != 0 || publishers_wait_) {
    if (must_wait(*channel, frame, id, wanted_room)) return;
  }
  const Fault fault = is_method                             ? channel->on_method(id, frame.payload)
                      : frame.type == amqp::FrameType::body ? channel->on_body(frame.payload)
                                                            : channel->on_header(frame.payload);
  if (fault) on_channel_fault(*channel, fault, is_method ? id : channel->method());
}

void Session::on_channel_fault(Channel& channel, const Fault& fault, amqp::MethodId method) {
  if (fault.is_not_yet()) return enter(Pause::turn);
  if (amqp::is_connection_error(fault.code)) return fail(fault, method);
  channel.close(fault);
}

void Session::on_rare_frame(Channel* channel, const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::method) {
    return on_rare_method(frame.channel, channel, frame);
  }
  if (channel && channel->state() == Channel::State::closing) return;
  fail({ReplyCode::unexpected_frame,
        "content on channel " + std::to_string(frame.channel) + ", which is not open"});
}

void Session::on_rare_method(std::uint16_t number, Channel* channel, const amqp::Frame& frame) {
  const amqp::MethodId id = amqp::peek_method_id(frame.payload);
  if (channel && channel->state() == Channel::State::closing) {
    if (id == amqp::channel::CloseOk::id) remove_channel(number);
    if (id == amqp::channel::Close::id) {
      context_.send(number, amqp::channel::CloseOk{});
    }
    return;
  }
  if (id == amqp::channel::Open::id) {
    if (channel) {
      return fail({ReplyCode::channel_error, "second 'channel.open' seen: channel " +
                                                 std::to_string(number) + " is open already"},
                  id);
    }
    return open_channel(number);
  }
  if (!channel || channel->state() == Channel::State::closed) {
    return fail({ReplyCode::channel_error,
                 "expected 'channel.open': channel " + std::to_string(number) + " is not open"},
                id);
  }
  if (id == amqp::channel::Close::id) {
    if (const Fault fault = channel->check_may_close()) return fail(fault, id);
    channel->close_by_peer();
    if (channel->finished()) remove_channel(number);
    return;
  }
  const Fault fault = channel->on_method(id, frame.payload);  // channel.flow, or an unknown method
  if (fault) on_channel_fault(*channel, fault, id);
}

// The limit is on the number of open channels, not on their numbers: some clients begin with the
// highest number.
void Session::open_channel(std::uint16_t number) {
  if (channels_.size() >= channel_max_) {
    return fail({ReplyCode::not_allowed,
                 "number of channels opened (" + std::to_string(channels_.size()) +
                     ") has reached the negotiated channel_max (" + std::to_string(channel_max_) +
                     "): channel " + std::to_string(number) + " is refused"},
                amqp::channel::Open::id);
  }
  channels_.emplace(number, std::make_unique<Channel>(context_, *engine_, number));
  context_.send(number, amqp::channel::OpenOk{});
}

}  // namespace haypile::session
