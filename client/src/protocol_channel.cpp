// Handles what comes on a channel.
#include "protocol_channel.hpp"

#include <algorithm>
#include <utility>

#include "protocol.hpp"

namespace haypile {

using amqp::ReplyCode;

bool Unconfirmed::settle(std::uint64_t tag, bool multiple, bool confirmed) {
  if (multiple && tag == 0) tag = first_ + window_.size() - 1;
  if (tag >= first_ + window_.size()) return false;
  if (!confirmed) refused_ = true;
  if (multiple) {
    while (!window_.empty() && first_ <= tag) {
      if (window_.front()) --count_;
      window_.pop_front();
      ++first_;
    }
  } else if (tag >= first_ && std::exchange(window_[tag - first_], false)) {
    --count_;
  }
  while (!window_.empty() && !window_.front()) {
    window_.pop_front();
    ++first_;
  }
  return true;
}

void Protocol::on_channel_frame(std::uint16_t number, ProtocolChannel& channel,
                                const amqp::Frame& frame) {
  if (channel.closing) {
    const amqp::MethodId id = frame.type == amqp::FrameType::method
                                  ? amqp::peek_method_id(frame.payload)
                                  : amqp::MethodId{};
    if (id == amqp::channel::CloseOk::id) forget_channel(number);
    if (id == amqp::channel::Close::id) send(number, amqp::channel::CloseOk{});
    return;
  }
  switch (frame.type) {
    case amqp::FrameType::method:
      return on_channel_method(number, channel, frame);
    case amqp::FrameType::header:
      return on_header(channel, frame);
    default:
      return on_body(channel, frame);
  }
}

void Protocol::on_channel_method(std::uint16_t number, ProtocolChannel& channel,
                                 const amqp::Frame& frame) {
  const amqp::MethodId id = amqp::peek_method_id(frame.payload);
  const std::string_view arguments =
      frame.payload.substr(std::min(frame.payload.size(), amqp::method_id_size));
  if (channel.content != ProtocolChannel::Content::none) {
    return fail(ReplyCode::unexpected_frame,
                std::string(amqp::method_name(id)) + " in the middle of a message");
  }
  if (amqp::carries_content(id)) return on_content_method(channel, id, arguments);
  if (id == amqp::basic::Ack::id || id == amqp::basic::Nack::id) {
    return on_confirm(channel, id, arguments);
  }
  if (id == amqp::channel::Close::id) return on_channel_close(number, channel, arguments);
  if (id == amqp::basic::Cancel::id) {
    amqp::basic::Cancel cancel;
    if (decode(arguments, cancel)) channel.cancelled.emplace_back(cancel.consumer_tag);
    return;
  }
  if (id == amqp::channel::Flow::id) {
    amqp::channel::Flow flow;
    if (decode(arguments, flow)) send(number, amqp::channel::FlowOk{.active = flow.active});
    return;
  }
  if (amqp::method_name(id) == "unknown" || channel.reply) {
    return fail(ReplyCode::command_invalid, "unexpected " + std::string(amqp::method_name(id)));
  }
  channel.reply = Reply{id, std::string(arguments), std::nullopt};
}

void Protocol::on_channel_close(std::uint16_t number, ProtocolChannel& channel,
                                std::string_view arguments) {
  amqp::channel::Close close;
  if (!decode(arguments, close)) return;
  const amqp::MethodId method{close.class_id, close.method_id};
  channel.closed =
      CloseReason{close.reply_code, std::string(close.reply_text),
                  method == amqp::MethodId{} ? "" : std::string(amqp::method_name(method))};
  send(number, amqp::channel::CloseOk{});
}

void Protocol::on_confirm(ProtocolChannel& channel, amqp::MethodId id, std::string_view arguments) {
  amqp::basic::Ack ack;
  if (id == amqp::basic::Ack::id) {
    if (!decode(arguments, ack)) return;
  } else {
    amqp::basic::Nack nack;
    if (!decode(arguments, nack)) return;
    ack = {.delivery_tag = nack.delivery_tag, .multiple = nack.multiple};
  }
  if (!channel.unconfirmed.settle(ack.delivery_tag, ack.multiple, id == amqp::basic::Ack::id)) {
    fail(ReplyCode::precondition_failed,
         "confirm of message " + std::to_string(ack.delivery_tag) + ", which was never sent");
  }
}

void Protocol::on_content_method(ProtocolChannel& channel, amqp::MethodId id,
                                 std::string_view arguments) {
  MessageBuilder& builder = channel.builder;
  if (id == amqp::basic::Deliver::id) {
    amqp::basic::Deliver deliver;
    if (!decode(arguments, deliver)) return;
    builder.begin(deliver.exchange, deliver.routing_key);
    builder.message().consumer_tag = deliver.consumer_tag;
    builder.message().delivery_tag = deliver.delivery_tag;
    builder.message().redelivered = deliver.redelivered;
  } else if (id == amqp::basic::GetOk::id) {
    amqp::basic::GetOk got;
    if (!decode(arguments, got)) return;
    builder.begin(got.exchange, got.routing_key);
    builder.message().delivery_tag = got.delivery_tag;
    builder.message().redelivered = got.redelivered;
    builder.message().message_count = got.message_count;
  } else if (id == amqp::basic::Return::id) {
    amqp::basic::Return returned;
    if (!decode(arguments, returned)) return;
    builder.begin(returned.exchange, returned.routing_key);
    builder.message().reply_code = returned.reply_code;
    builder.message().reply_text = returned.reply_text;
  } else {
    return fail(ReplyCode::command_invalid, "unexpected " + std::string(amqp::method_name(id)));
  }
  channel.content_of = id;
  channel.content = ProtocolChannel::Content::header;
}

void Protocol::on_header(ProtocolChannel& channel, const amqp::Frame& frame) {
  if (channel.content != ProtocolChannel::Content::header) {
    return fail(ReplyCode::unexpected_frame, "content header without a method");
  }
  amqp::ContentHeader header;
  if (amqp::decode_content_header(frame.payload, header) != amqp::DecodeError::none ||
      amqp::validate_properties(header.raw_properties) != amqp::DecodeError::none) {
    return fail(ReplyCode::syntax_error, "malformed content header");
  }
  if (header.body_size > options_.message_size_max_bytes) {
    return fail(ReplyCode::content_too_large,
                "message of " + std::to_string(header.body_size) + " bytes");
  }
  channel.builder.header(header.raw_properties, header.body_size);
  channel.content = ProtocolChannel::Content::body;
  if (channel.builder.complete()) finish_content(channel);
}

void Protocol::on_body(ProtocolChannel& channel, const amqp::Frame& frame) {
  if (channel.content != ProtocolChannel::Content::body || !channel.builder.body(frame.payload)) {
    return fail(ReplyCode::unexpected_frame, "content body that nobody announced");
  }
  if (channel.builder.complete()) finish_content(channel);
}

void Protocol::finish_content(ProtocolChannel& channel) {
  channel.content = ProtocolChannel::Content::none;
  Message& message = channel.builder.message();
  if (channel.content_of == amqp::basic::Deliver::id) {
    channel.deliveries.push_back(std::move(message));
  } else if (channel.content_of == amqp::basic::Return::id) {
    channel.returned.push_back(std::move(message));
  } else if (channel.reply) {
    fail(ReplyCode::command_invalid, "unexpected basic.get-ok");
  } else {
    channel.reply = Reply{amqp::basic::GetOk::id, {}, std::move(message)};
  }
}

}  // namespace haypile
