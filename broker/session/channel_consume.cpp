#include <new>

#include "session/amqp_property_codec.hpp"
#include "session/arguments.hpp"
#include "session/channel.hpp"
#include "session/refusals.hpp"

namespace haypile::session {

using amqp::ReplyCode;

// What the broker adds is left out if there is no room for it: first the delivery count, then the
// story of the message's deaths.
std::string_view Channel::changed_properties(std::string_view own, std::uint32_t delivery_count,
                                             std::string& changed) const {
  const std::size_t size_max = subscriptions_.properties_max();
  if (delivery_count != 0) {
    changed = with_delivery_count(own, delivery_count);
    if (changed.size() <= size_max) return changed;
  }
  if (own.size() <= size_max) return own;
  changed = bare_properties(own);
  return changed;
}

Fault Channel::header_too_large(std::size_t properties_size) const {
  return refusals::header_too_large(
      properties_size + amqp::content_header_fixed_size + amqp::frame_overhead,
      context_.frame_max_bytes);
}

Fault Channel::handle(const amqp::basic::Qos& method) {
  if (method.prefetch_size != 0) {
    return {ReplyCode::not_implemented,
            "prefetch_size!=0 (" + std::to_string(method.prefetch_size) + ")"};
  }
  if (method.global || context_.qos_is_for_channel) {
    subscriptions_.set_channel_prefetch(method.prefetch_count);
  } else {
    subscriptions_.set_prefetch(method.prefetch_count);
    subscriptions_.set_channel_prefetch(0);  // as RabbitMQ does
  }
  send(amqp::basic::QosOk{});
  return {};
}

Fault Channel::handle(const amqp::basic::Consume& method) {
  std::int64_t priority = 0;
  if (Fault fault = read_consumer_arguments(method.arguments, priority)) return fault;
  std::string queue;
  if (Fault fault = resolve_queue(method.queue, queue)) return fault;
  std::string tag(method.consumer_tag);
  if (tag.empty()) tag = "amq.ctag-" + context_.host.unique_name();
  if (subscriptions_.has_consumer(tag)) {
    return {ReplyCode::not_allowed, "attempt to reuse consumer tag '" + tag + "'"};
  }
  if (queue == reply_queue) return consume_replies(method, tag);
  if (Fault fault = subscriptions_.consume(queue, {.tag = tag,
                                                   .no_ack = method.no_ack,
                                                   .exclusive = method.exclusive,
                                                   .priority = priority})) {
    return fault;
  }
  if (!method.no_wait) send(amqp::basic::ConsumeOk{.consumer_tag = tag});
  subscriptions_.start_consumer(tag);
  return {};
}

Fault Channel::consume_replies(const amqp::basic::Consume& method, const std::string& tag) {
  std::string name = std::string(reply_queue) + "." + context_.host.unique_name();
  if (Fault fault =
          subscriptions_.consume_replies({.tag = tag, .no_ack = method.no_ack}, std::move(name))) {
    return fault;
  }
  if (!method.no_wait) send(amqp::basic::ConsumeOk{.consumer_tag = tag});
  return {};
}

Fault Channel::handle(const amqp::basic::Cancel& method) {
  subscriptions_.cancel(method.consumer_tag);
  if (!method.no_wait) send(amqp::basic::CancelOk{.consumer_tag = method.consumer_tag});
  return {};
}

Fault Channel::handle(const amqp::basic::Get& method) {
  std::string queue;
  if (Fault fault = resolve_queue(method.queue, queue)) return fault;
  engine::GetResult got;
  if (Fault fault = subscriptions_.get(queue, method.no_ack, got)) return fault;
  if (got.refused_size != 0) return header_too_large(got.refused_size);
  if (!got.found) {
    send(amqp::basic::GetEmpty{});
    return {};
  }
  const engine::Message& message = *got.message;
  std::string changed;
  send_message(amqp::basic::GetOk{.delivery_tag = got.delivery_tag,
                                  .redelivered = got.redelivered,
                                  .exchange = message.exchange(),
                                  .routing_key = message.routing_key(),
                                  .message_count = count32(got.ready_count)},
               delivered_properties(message, got.delivery_count, changed), got.message,
               Output::Kind::reply);
  return {};
}

Fault Channel::settle(std::uint64_t delivery_tag, bool multiple, engine::Settlement how) {
  return transactional_ ? subscriptions_.hold(delivery_tag, multiple, how)
                        : subscriptions_.settle(delivery_tag, multiple, how);
}

Fault Channel::handle(const amqp::basic::Ack& method) {
  return settle(method.delivery_tag, method.multiple, engine::Settlement::ack);
}

Fault Channel::handle(const amqp::basic::Nack& method) {
  return settle(method.delivery_tag, method.multiple,
                method.requeue ? engine::Settlement::requeue : engine::Settlement::drop);
}

Fault Channel::handle(const amqp::basic::Reject& method) {
  return settle(method.delivery_tag, false,
                method.requeue ? engine::Settlement::requeue : engine::Settlement::drop);
}

Fault Channel::handle(const amqp::basic::Recover& method) {
  if (!method.requeue) {
    return {ReplyCode::not_implemented, "recover requeue=false"};
  }
  send(amqp::basic::RecoverOk{});
  subscriptions_.requeue_all();
  return {};
}

Fault Channel::handle(const amqp::basic::RecoverAsync& method) {
  if (!method.requeue) {
    return {ReplyCode::not_implemented, "recover requeue=false"};
  }
  subscriptions_.requeue_all();
  return {};
}

// Nothing may be thrown into the engine, which is in the middle of its own work.
bool Channel::deliver(const engine::Delivery& delivery) {
  const engine::Message& message = *delivery.message;
  context_.append([&] {
    std::string changed;
    send_message(amqp::basic::Deliver{.consumer_tag = delivery.consumer_tag,
                                      .delivery_tag = delivery.delivery_tag,
                                      .redelivered = delivery.redelivered,
                                      .exchange = message.exchange(),
                                      .routing_key = message.routing_key()},
                 delivered_properties(message, delivery.delivery_count, changed), delivery.message,
                 Output::Kind::delivery);
    context_.account_for_more();
  });
  if (context_.has_room()) return true;
  context_.room_was_refused = true;
  return false;
}

void Channel::refused(std::size_t properties_size) {
  refused_size_ = properties_size;
  context_.refuse();
}

void Channel::consumer_cancelled(std::string_view consumer_tag) {
  if (!context_.wants_cancel_notify) return;
  send(amqp::basic::Cancel{.consumer_tag = consumer_tag, .no_wait = true});
}

}  // namespace haypile::session
