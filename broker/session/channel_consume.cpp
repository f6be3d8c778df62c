#include "session/arguments.hpp"
#include "session/channel.hpp"

namespace haypile::session {

using amqp::ReplyCode;

Fault Channel::handle(const amqp::basic::Qos& method) {
  if (method.prefetch_size != 0) {
    return {ReplyCode::not_implemented, "prefetch_size other than 0 is not supported"};
  }
  if (method.global) {
    consumers_.set_channel_prefetch(method.prefetch_count);
  } else {
    consumers_.set_prefetch(method.prefetch_count);
  }
  send(amqp::basic::QosOk{});
  return {};
}

Fault Channel::handle(const amqp::basic::Consume& method) {
  if (Fault fault = check_consumer_arguments(method.arguments)) return fault;
  std::string queue;
  if (Fault fault = resolve_queue(method.queue, queue)) return fault;
  std::string tag(method.consumer_tag);
  if (tag.empty()) tag = "amq.ctag-" + link_.host.unique_name();
  if (consumers_.has_consumer(tag)) {
    return {ReplyCode::not_allowed, "attempt to reuse consumer tag '" + tag + "'"};
  }
  if (Fault fault = consumers_.consume(
          queue, {.tag = tag, .no_ack = method.no_ack, .exclusive = method.exclusive})) {
    return fault;
  }
  if (!method.no_wait) send(amqp::basic::ConsumeOk{.consumer_tag = tag});
  consumers_.start_consumer(tag);
  return {};
}

Fault Channel::handle(const amqp::basic::Cancel& method) {
  consumers_.cancel(method.consumer_tag);
  if (!method.no_wait) send(amqp::basic::CancelOk{.consumer_tag = method.consumer_tag});
  return {};
}

Fault Channel::handle(const amqp::basic::Get& method) {
  std::string queue;
  if (Fault fault = resolve_queue(method.queue, queue)) return fault;
  engine::GetResult got;
  if (Fault fault = consumers_.get(queue, method.no_ack, got)) return fault;
  if (!got.found) {
    send(amqp::basic::GetEmpty{});
    return {};
  }
  const engine::Message& message = *got.message;
  amqp::append_message(out(), number_,
                       amqp::basic::GetOk{.delivery_tag = got.delivery_tag,
                                          .redelivered = got.redelivered,
                                          .exchange = message.exchange(),
                                          .routing_key = message.routing_key(),
                                          .message_count = count32(got.ready_count)},
                       message.properties(), message.body(), link_.frame_max_bytes);
  return {};
}

Fault Channel::handle(const amqp::basic::Ack& method) {
  return consumers_.settle(method.delivery_tag, method.multiple, engine::Settlement::ack);
}

Fault Channel::handle(const amqp::basic::Nack& method) {
  return consumers_.settle(method.delivery_tag, method.multiple,
                           method.requeue ? engine::Settlement::requeue : engine::Settlement::drop);
}

Fault Channel::handle(const amqp::basic::Reject& method) {
  return consumers_.settle(method.delivery_tag, false,
                           method.requeue ? engine::Settlement::requeue : engine::Settlement::drop);
}

Fault Channel::handle(const amqp::basic::Recover& method) {
  if (!method.requeue) {
    return {ReplyCode::not_implemented, "basic.recover(requeue=false) is not supported"};
  }
  send(amqp::basic::RecoverOk{});
  consumers_.recover();
  return {};
}

Fault Channel::handle(const amqp::basic::RecoverAsync& method) {
  if (!method.requeue) {
    return {ReplyCode::not_implemented, "basic.recover-async(requeue=false) is not supported"};
  }
  consumers_.recover();
  return {};
}

bool Channel::deliver(const engine::Delivery& delivery) {
  const engine::Message& message = delivery.message;
  amqp::append_message(out(), number_,
                       amqp::basic::Deliver{.consumer_tag = delivery.consumer_tag,
                                            .delivery_tag = delivery.delivery_tag,
                                            .redelivered = delivery.redelivered,
                                            .exchange = message.exchange(),
                                            .routing_key = message.routing_key()},
                       message.properties(), message.body(), link_.frame_max_bytes);
  return has_room();
}

void Channel::consumer_cancelled(std::string_view consumer_tag) {
  if (!link_.wants_cancel_notify) return;
  send(amqp::basic::Cancel{.consumer_tag = consumer_tag, .no_wait = true});
}

}  // namespace haypile::session
