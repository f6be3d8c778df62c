#include <optional>

#include "session/channel.hpp"

namespace haypile::session {

using amqp::ReplyCode;

namespace {

std::optional<engine::ExchangeType> exchange_type(std::string_view name) {
  if (name == "direct") return engine::ExchangeType::direct;
  if (name == "fanout") return engine::ExchangeType::fanout;
  if (name == "topic") return engine::ExchangeType::topic;
  if (name == "headers") return engine::ExchangeType::headers;
  return std::nullopt;
}

// RabbitMQ removes line feeds and carriage returns from names in declarations, bindings and
// deletions.
std::string in_one_line(std::string_view name) {
  std::string line(name);
  std::erase_if(line, [](char c) { return c == '\n' || c == '\r'; });
  return line;
}

engine::BindingDefinition exchange_binding(std::string_view source, std::string_view destination,
                                           std::string_view routing_key,
                                           amqp::TableView arguments) {
  return {.source = in_one_line(source),
          .destination_kind = engine::DestinationKind::exchange,
          .destination = in_one_line(destination),
          .routing_key = std::string(routing_key),
          .arguments = std::string(arguments.bytes())};
}

}  // namespace

Fault Channel::handle(const amqp::exchange::Declare& method) {
  const std::string name = in_one_line(method.exchange);
  if (name.empty()) {
    return {ReplyCode::access_refused, "operation not permitted on the default exchange"};
  }
  if (method.passive) {
    if (Fault fault = engine_.check_exchange(name)) return fault;
  } else {
    const auto type = exchange_type(method.type);
    if (!type) {
      return {ReplyCode::precondition_failed, "unknown exchange type '" + std::string(method.type) +
                                                  "' for exchange '" + name +
                                                  "'; expected direct, fanout, topic or headers"};
    }
    if (Fault fault =
            engine_.declare_exchange({.name = name,
                                      .type = *type,
                                      .durable = method.durable,
                                      .auto_delete = method.auto_delete,
                                      .internal = method.internal,
                                      .arguments = std::string(method.arguments.bytes())})) {
      return fault;
    }
  }
  if (!method.no_wait) send_when_durable(amqp::exchange::DeclareOk{});
  return {};
}

Fault Channel::handle(const amqp::exchange::Delete& method) {
  bool is_done = false;
  if (Fault fault =
          engine_.delete_exchange(in_one_line(method.exchange), method.if_unused, is_done)) {
    return fault;
  }
  if (!is_done) return Fault::not_yet();
  if (!method.no_wait) send_when_durable(amqp::exchange::DeleteOk{});
  return {};
}

Fault Channel::handle(const amqp::exchange::Bind& method) {
  if (Fault fault = engine_.bind(
          exchange_binding(method.source, method.destination, method.routing_key, method.arguments),
          context_.owner)) {
    return fault;
  }
  if (!method.no_wait) send_when_durable(amqp::exchange::BindOk{});
  return {};
}

Fault Channel::handle(const amqp::exchange::Unbind& method) {
  if (Fault fault = engine_.unbind(
          exchange_binding(method.source, method.destination, method.routing_key, method.arguments),
          context_.owner)) {
    return fault;
  }
  if (!method.no_wait) send_when_durable(amqp::exchange::UnbindOk{});
  return {};
}

Fault Channel::resolve_queue(std::string_view given, std::string& name) const {
  name = given.empty() ? last_queue_ : in_one_line(given);
  if (!name.empty()) return {};
  return {ReplyCode::not_found, "no previously declared queue"};
}

Fault Channel::declare_queue(const amqp::queue::Declare& method, engine::Queue*& queue) {
  if (method.passive) {
    std::string name;
    if (Fault fault = resolve_queue(method.queue, name)) return fault;
    Fault fault = engine_.find_queue(name, context_.owner, queue);
    if (!fault) queue->note_use();
    return fault;
  }
  engine::QueueDefinition definition{.name = in_one_line(method.queue),
                                     .durable = method.durable,
                                     .auto_delete = method.auto_delete,
                                     .arguments = std::string(method.arguments.bytes())};
  if (definition.name.starts_with("amq.")) {
    return {ReplyCode::access_refused,
            "queue name '" + definition.name + "' contains reserved prefix 'amq.*'"};
  }
  if (method.exclusive) context_.has_exclusive_queues = true;
  if (definition.name.empty()) definition.name = "amq.gen-" + context_.host.unique_name();
  return engine_.declare_queue(definition, method.exclusive ? context_.owner : 0, context_.owner,
                               queue);
}

Fault Channel::handle(const amqp::queue::Declare& method) {
  if (method.queue.starts_with(reply_queue)) return declare_reply_queue(method);
  engine::Queue* queue = nullptr;
  if (Fault fault = declare_queue(method, queue)) return fault;
  last_queue_ = queue->name();
  if (!method.no_wait) {
    send_when_durable(amqp::queue::DeclareOk{.queue = queue->name(),
                                             .message_count = count32(queue->ready_count()),
                                             .consumer_count = count32(queue->consumer_count())});
  }
  return {};
}

// Direct reply-to: a client can ask in this way whether somebody still waits for a reply.
Fault Channel::declare_reply_queue(const amqp::queue::Declare& method) {
  if (method.queue != reply_queue && !engine_.has_reply_channel(method.queue)) {
    return {ReplyCode::not_found, "no queue '" + std::string(method.queue) + "' in vhost '" +
                                      engine_.vhost() + "': nobody waits for a reply there"};
  }
  if (!method.no_wait) {
    send(amqp::queue::DeclareOk{.queue = method.queue, .message_count = 0, .consumer_count = 1});
  }
  return {};
}

// If neither queue nor key is given, the name of the queue is the key (AMQP 0-9-1, queue.bind).
Fault Channel::resolve_binding(std::string_view queue, std::string_view routing_key,
                               engine::BindingDefinition& binding) const {
  if (Fault fault = resolve_queue(queue, binding.destination)) return fault;
  binding.routing_key = routing_key;
  if (queue.empty() && routing_key.empty()) binding.routing_key = binding.destination;
  return {};
}

Fault Channel::handle(const amqp::queue::Bind& method) {
  engine::BindingDefinition binding;
  binding.source = in_one_line(method.exchange);
  binding.arguments = method.arguments.bytes();
  if (Fault fault = resolve_binding(method.queue, method.routing_key, binding)) return fault;
  if (Fault fault = engine_.bind(binding, context_.owner)) return fault;
  if (!method.no_wait) send_when_durable(amqp::queue::BindOk{});
  return {};
}

Fault Channel::handle(const amqp::queue::Unbind& method) {
  engine::BindingDefinition binding;
  binding.source = in_one_line(method.exchange);
  binding.arguments = method.arguments.bytes();
  if (Fault fault = resolve_binding(method.queue, method.routing_key, binding)) return fault;
  if (Fault fault = engine_.unbind(binding, context_.owner)) return fault;
  send_when_durable(amqp::queue::UnbindOk{});
  return {};
}

Fault Channel::handle(const amqp::queue::Purge& method) {
  std::string queue;
  if (Fault fault = resolve_queue(method.queue, queue)) return fault;
  if (!purge_) purge_.emplace();
  if (Fault fault = engine_.purge_queue(queue, context_.owner, *purge_)) {
    purge_.reset();
    return fault;
  }
  if (!purge_->is_done) return Fault::not_yet();
  const std::size_t count = purge_->message_count;
  purge_.reset();
  if (!method.no_wait) send_when_durable(amqp::queue::PurgeOk{.message_count = count32(count)});
  return {};
}

Fault Channel::handle(const amqp::queue::Delete& method) {
  std::string queue;
  if (Fault fault = resolve_queue(method.queue, queue)) return fault;
  std::size_t count = 0;
  if (Fault fault =
          engine_.delete_queue(queue, context_.owner, method.if_unused, method.if_empty, count)) {
    return fault;
  }
  if (!method.no_wait) send_when_durable(amqp::queue::DeleteOk{.message_count = count32(count)});
  return {};
}

}  // namespace haypile::session
