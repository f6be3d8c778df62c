// Channels: requests and answers, messages in both directions, and their end.
#include "protocol_channel.hpp"

#include <algorithm>
#include <utility>

#include "protocol.hpp"

namespace haypile {

using amqp::ReplyCode;

std::pair<std::uint16_t, RequestId> Protocol::open_channel(TimePoint now) {
  std::uint32_t number = 1;
  for (const auto& [used, channel] : channels_) {
    if (used != number) break;
    ++number;
  }
  if (number > channel_max_) return {};
  const auto free = static_cast<std::uint16_t>(number);
  channels_.try_emplace(free);
  return {free, request<amqp::channel::OpenOk>(free, amqp::channel::Open{}, now)};
}

void Protocol::close_channel(std::uint16_t number, TimePoint now) {
  const auto found = channels_.find(number);
  if (found == channels_.end() || found->second.closing || state_ != State::open) return;
  // No other answer is waited for from now on.
  found->second.requests.clear();
  found->second.closing = true;
  request<amqp::channel::CloseOk>(
      number, amqp::channel::Close{.reply_code = 200, .reply_text = "bye"}, now);
}

bool Protocol::channel_is_closing() const {
  return std::any_of(channels_.begin(), channels_.end(),
                     [](const auto& channel) { return channel.second.closing; });
}

RequestId Protocol::get(std::uint16_t channel, const amqp::basic::Get& method, TimePoint now) {
  if (!send(channel, method)) return 0;
  return expect_answer(channel,
                       {.answer = amqp::basic::GetEmpty::id,
                        .other_answer = amqp::basic::GetOk::id,
                        .well_formed = is_well_formed<amqp::basic::GetEmpty>},
                       now);
}

RequestId Protocol::expect_answer(std::uint16_t number, PendingRequest request, TimePoint now) {
  request.id = ++last_request_;
  ProtocolChannel& channel = channels_[number];
  channel.requests.push_back(request);
  // The broker counts what comes after confirm.select, and not what comes after its answer.
  if (request.answer == amqp::confirm::SelectOk::id) channel.confirming = true;
  overdue_.push_back({now + options_.rpc_timeout, number, request.id});
  return request.id;
}

std::optional<std::uint64_t> Protocol::publish(std::uint16_t number,
                                               const amqp::basic::Publish& method,
                                               std::string_view raw_properties,
                                               std::string_view body) {
  constexpr std::size_t header_overhead = amqp::frame_overhead + amqp::content_header_fixed_size;
  if (raw_properties.size() + header_overhead > frame_max_) return std::nullopt;
  if (!amqp::append_message(output_, number, method, raw_properties, body, frame_max_)) {
    return std::nullopt;
  }
  ProtocolChannel& channel = channels_[number];
  return channel.confirming ? ++channel.published_count : 0;
}

void Protocol::end_channel(std::uint16_t number, CloseReason reason) {
  channels_.erase(number);
  events_.emplace_back(event::ChannelClosed{number, std::move(reason)});
}

void Protocol::on_channel_frame(std::uint16_t number, ProtocolChannel& channel,
                                const amqp::Frame& frame) {
  if (channel.closing) return on_closing_channel_frame(number, frame);
  switch (frame.type) {
    case amqp::FrameType::method:
      return on_channel_method(number, channel, frame);
    case amqp::FrameType::header:
      return on_header(number, channel, frame);
    default:
      return on_body(number, channel, frame);
  }
}

// Everything that the broker has sent before it knew of our close is dropped.
void Protocol::on_closing_channel_frame(std::uint16_t number, const amqp::Frame& frame) {
  if (frame.type != amqp::FrameType::method) return;
  const amqp::MethodId id = amqp::peek_method_id(frame.payload);
  // Both sides may close it at the same time; then each answers the other one.
  if (id == amqp::channel::Close::id) send(number, amqp::channel::CloseOk{});
  if (id != amqp::channel::CloseOk::id) return;
  end_channel(number, {Ending::ours, 0, "the channel has been closed", ""});
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
    return on_confirm(number, channel, id, arguments);
  }
  if (id == amqp::channel::Close::id) return on_channel_close(number, arguments);
  if (id == amqp::basic::Cancel::id) {
    amqp::basic::Cancel cancel;
    if (!decode(arguments, cancel)) return;
    events_.emplace_back(event::ConsumerCancelled{number, std::string(cancel.consumer_tag)});
    return;
  }
  if (id == amqp::channel::Flow::id) {
    amqp::channel::Flow flow;
    if (decode(arguments, flow)) send(number, amqp::channel::FlowOk{.active = flow.active});
    return;
  }
  on_answer(number, channel, id, arguments);
}

void Protocol::on_answer(std::uint16_t number, ProtocolChannel& channel, amqp::MethodId id,
                         std::string_view arguments) {
  if (channel.requests.empty() || channel.requests.front().answer != id) {
    return fail(ReplyCode::command_invalid, "unexpected " + std::string(amqp::method_name(id)));
  }
  const PendingRequest request = channel.requests.front();
  channel.requests.pop_front();
  if (!request.well_formed(arguments)) {
    return fail(ReplyCode::syntax_error, "malformed " + std::string(amqp::method_name(id)));
  }
  if (id == amqp::basic::GetEmpty::id) {
    events_.emplace_back(event::Got{number, request.id, std::nullopt});
  } else {
    events_.emplace_back(event::Reply{number, request.id, id, std::string(arguments)});
  }
}

void Protocol::on_channel_close(std::uint16_t number, std::string_view arguments) {
  amqp::channel::Close close;
  if (!decode(arguments, close)) return;
  const amqp::MethodId method{close.class_id, close.method_id};
  send(number, amqp::channel::CloseOk{});
  end_channel(number, {Ending::broker, close.reply_code, std::string(close.reply_text),
                       method == amqp::MethodId{} ? "" : std::string(amqp::method_name(method))});
}

void Protocol::on_confirm(std::uint16_t number, const ProtocolChannel& channel, amqp::MethodId id,
                          std::string_view arguments) {
  amqp::basic::Nack confirm;
  const bool refused = id == amqp::basic::Nack::id;
  if (refused) {
    if (!decode(arguments, confirm)) return;
  } else {
    amqp::basic::Ack ack;
    if (!decode(arguments, ack)) return;
    confirm = {.delivery_tag = ack.delivery_tag, .multiple = ack.multiple};
  }
  // 0 stands for all messages so far, which may be none.
  const bool all = confirm.multiple && confirm.delivery_tag == 0;
  const std::uint64_t last = all ? channel.published_count : confirm.delivery_tag;
  if (all && last == 0) return;
  if (last == 0 || last > channel.published_count) {
    return fail(ReplyCode::precondition_failed,
                "confirm of message " + std::to_string(last) + ", which was never sent");
  }
  events_.emplace_back(event::Confirmed{number, last, confirm.multiple, refused});
}

void Protocol::on_content_method(ProtocolChannel& channel, amqp::MethodId id,
                                 std::string_view arguments) {
  MessageBuilder& builder = channel.builder;
  if (id == amqp::basic::Deliver::id) {
    amqp::basic::Deliver deliver;
    if (!decode(arguments, deliver)) return;
    builder.begin(deliver.exchange, deliver.routing_key, deliver.consumer_tag);
    builder.message().delivery_tag = deliver.delivery_tag;
    builder.message().redelivered = deliver.redelivered;
  } else if (id == amqp::basic::GetOk::id) {
    amqp::basic::GetOk got;
    if (!decode(arguments, got)) return;
    if (channel.requests.empty() || channel.requests.front().other_answer != id) {
      return fail(ReplyCode::command_invalid, "unexpected basic.get-ok");
    }
    builder.begin(got.exchange, got.routing_key, {});
    builder.message().delivery_tag = got.delivery_tag;
    builder.message().redelivered = got.redelivered;
    builder.message().message_count = got.message_count;
  } else if (id == amqp::basic::Return::id) {
    amqp::basic::Return returned;
    if (!decode(arguments, returned)) return;
    builder.begin(returned.exchange, returned.routing_key, returned.reply_text);
    builder.message().reply_code = returned.reply_code;
  } else {
    return fail(ReplyCode::command_invalid, "unexpected " + std::string(amqp::method_name(id)));
  }
  channel.content_of = id;
  channel.content = ProtocolChannel::Content::header;
}

void Protocol::on_header(std::uint16_t number, ProtocolChannel& channel, const amqp::Frame& frame) {
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
  if (channel.builder.complete()) finish_content(number, channel);
}

void Protocol::on_body(std::uint16_t number, ProtocolChannel& channel, const amqp::Frame& frame) {
  if (channel.content != ProtocolChannel::Content::body || !channel.builder.body(frame.payload)) {
    return fail(ReplyCode::unexpected_frame, "content body that nobody announced");
  }
  if (channel.builder.complete()) finish_content(number, channel);
}

void Protocol::finish_content(std::uint16_t number, ProtocolChannel& channel) {
  channel.content = ProtocolChannel::Content::none;
  Message& message = channel.builder.message();
  if (channel.content_of == amqp::basic::Deliver::id) {
    events_.emplace_back(event::Delivery{number, std::move(message)});
  } else if (channel.content_of == amqp::basic::Return::id) {
    events_.emplace_back(event::Returned{number, std::move(message)});
  } else {
    const RequestId request = channel.requests.front().id;
    channel.requests.pop_front();
    events_.emplace_back(event::Got{number, request, std::move(message)});
  }
}

}  // namespace haypile
