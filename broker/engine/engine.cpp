#include "engine/engine.hpp"

#include <algorithm>
#include <utility>

namespace haypile::engine {

namespace {

const char* text(ExchangeType type) {
  switch (type) {
    case ExchangeType::direct:
      return "direct";
    case ExchangeType::fanout:
      return "fanout";
    case ExchangeType::topic:
      return "topic";
    case ExchangeType::headers:
      return "headers";
  }
  return "?";
}

std::string text(bool value) {
  return value ? "true" : "false";
}

}  // namespace

Engine::Engine(std::string vhost, Journal& journal, const TableReader& reader)
    : vhost_(std::move(vhost)), journal_(journal), reader_(reader), router_(reader) {
  create_predeclared();
}

Engine::~Engine() = default;

void Engine::create_predeclared() {
  const auto create = [this](const char* name, ExchangeType type) {
    exchanges_.emplace(
        name, std::make_unique<Exchange>(ExchangeDefinition{name, type, true, false, false, ""}));
  };
  create("amq.direct", ExchangeType::direct);
  create("amq.fanout", ExchangeType::fanout);
  create("amq.topic", ExchangeType::topic);
  create("amq.headers", ExchangeType::headers);
  create("amq.match", ExchangeType::headers);
}

Error Engine::missing_exchange(std::string_view name) const {
  return {ErrorCode::not_found,
          "no exchange '" + std::string(name) + "' in vhost '" + vhost_ + "'"};
}

Error Engine::missing_queue(std::string_view name) const {
  return {ErrorCode::not_found, "no queue '" + std::string(name) + "' in vhost '" + vhost_ + "'"};
}

Error Engine::inequivalent(const std::string& kind, const std::string& name, const char* argument,
                           const std::string& received, const std::string& current) const {
  return {ErrorCode::precondition_failed, "inequivalent arg '" + std::string(argument) + "' for " +
                                              kind + " '" + name + "' in vhost '" + vhost_ +
                                              "': received '" + received + "' but current is '" +
                                              current + "'"};
}

Exchange* Engine::find_exchange(std::string_view name) const {
  const auto found = exchanges_.find(name);
  return found == exchanges_.end() ? nullptr : found->second.get();
}

Error Engine::declare_exchange(const ExchangeDefinition& wanted) {
  if (const Exchange* exchange = find_exchange(wanted.name)) {
    const ExchangeDefinition& current = exchange->definition();
    const auto differs = [&](const char* argument, std::string received, std::string is) {
      return inequivalent("exchange", wanted.name, argument, received, is);
    };
    if (wanted.type != current.type) return differs("type", text(wanted.type), text(current.type));
    if (wanted.durable != current.durable) {
      return differs("durable", text(wanted.durable), text(current.durable));
    }
    if (wanted.auto_delete != current.auto_delete) {
      return differs("auto_delete", text(wanted.auto_delete), text(current.auto_delete));
    }
    if (wanted.internal != current.internal) {
      return differs("internal", text(wanted.internal), text(current.internal));
    }
    return {};
  }
  if (wanted.name.starts_with("amq.")) {
    return {ErrorCode::access_refused,
            "exchange name '" + wanted.name + "' contains reserved prefix 'amq.*'"};
  }
  exchanges_.emplace(wanted.name, std::make_unique<Exchange>(wanted));
  if (wanted.durable) journal_.declare_exchange(wanted);
  return {};
}

Error Engine::check_exchange(std::string_view name) const {
  return find_exchange(name) ? Error{} : missing_exchange(name);
}

Error Engine::delete_exchange(std::string_view name, bool if_unused) {
  if (name.empty() || name.starts_with("amq.")) {
    return {ErrorCode::access_refused,
            "exchange '" + std::string(name) + "' in vhost '" + vhost_ + "' cannot be deleted"};
  }
  Exchange* exchange = find_exchange(name);
  if (!exchange) return {};
  if (if_unused && exchange->in_use()) {
    return {ErrorCode::precondition_failed,
            "exchange '" + std::string(name) + "' in vhost '" + vhost_ + "' in use"};
  }
  sweep(remove_exchange(*exchange));
  return {};
}

// Returns the exchanges that had a binding to it.
std::vector<std::string> Engine::remove_exchange(Exchange& exchange) {
  std::vector<std::string> sources;
  for (const Binding* binding : exchange.incoming())
    sources.push_back(binding->source->name());
  if (exchange.definition().durable) journal_.delete_exchange(exchange.name());
  exchanges_.erase(exchanges_.find(exchange.name()));
  return sources;
}

void Engine::sweep(std::vector<std::string> exchanges) {
  while (!exchanges.empty()) {
    Exchange* exchange = find_exchange(exchanges.back());
    exchanges.pop_back();
    if (!exchange || !exchange->definition().auto_delete || exchange->in_use()) continue;
    std::vector<std::string> sources = remove_exchange(*exchange);
    exchanges.insert(exchanges.end(), std::make_move_iterator(sources.begin()),
                     std::make_move_iterator(sources.end()));
  }
}

std::string Engine::queue_type(const std::string& arguments) const {
  return reader_.text(arguments, "x-queue-type").value_or("classic");
}

Error Engine::check_same(const Queue& queue, const QueueDefinition& wanted, OwnerId owner) const {
  const QueueDefinition& current = queue.definition();
  const auto differs = [&](const char* argument, std::string received, std::string is) {
    return inequivalent("queue", wanted.name, argument, received, is);
  };
  if (wanted.durable != current.durable) {
    return differs("durable", text(wanted.durable), text(current.durable));
  }
  if (wanted.auto_delete != current.auto_delete) {
    return differs("auto_delete", text(wanted.auto_delete), text(current.auto_delete));
  }
  if ((owner != 0) != (queue.owner() != 0)) {
    return differs("exclusive", text(owner != 0), text(queue.owner() != 0));
  }
  const std::string wanted_type = queue_type(wanted.arguments);
  const std::string current_type = queue_type(current.arguments);
  if (wanted_type != current_type) return differs("x-queue-type", wanted_type, current_type);
  return {};
}

Error Engine::declare_queue(const QueueDefinition& wanted, OwnerId owner, OwnerId requester,
                            Queue*& queue) {
  QueueDefinition definition = wanted;
  // An exclusive queue goes with its connection at the latest: nothing of it is worth keeping.
  if (owner != 0) definition.durable = false;
  if (queues_.contains(wanted.name)) {
    if (Error error = find_queue(wanted.name, requester, queue)) return error;
    return check_same(*queue, definition, owner);
  }
  // A position is never used twice, so neither is an id made of it.
  definition.id = journal_.end() + 1;
  auto created = std::make_unique<Queue>(std::move(definition), owner, journal_);
  queue = created.get();
  queues_.emplace(queue->name(), std::move(created));
  if (queue->durable()) journal_.declare_queue(queue->definition());
  return {};
}

Error Engine::find_queue(std::string_view name, OwnerId requester, Queue*& queue) const {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return missing_queue(name);
  const OwnerId owner = found->second->owner();
  if (owner != 0 && owner != requester) {
    return {ErrorCode::resource_locked, "cannot obtain exclusive access to locked queue '" +
                                            std::string(name) + "' in vhost '" + vhost_ +
                                            "'; it belongs to another connection"};
  }
  queue = found->second.get();
  return {};
}

Error Engine::delete_queue(std::string_view name, OwnerId requester, bool if_unused, bool if_empty,
                           std::size_t& message_count) {
  message_count = 0;
  if (!queues_.contains(name)) return {};
  Queue* queue = nullptr;
  if (Error error = find_queue(name, requester, queue)) return error;
  const auto refuse = [&](const char* why) {
    return Error{ErrorCode::precondition_failed,
                 "queue '" + std::string(name) + "' in vhost '" + vhost_ + "' " + why};
  };
  if (if_unused && queue->consumer_count() > 0) return refuse("in use");
  if (if_empty && queue->ready_count() + queue->unacked_count() > 0) return refuse("not empty");
  message_count = queue->ready_count();
  remove_queue(*queue);
  return {};
}

void Engine::remove_queue(Queue& queue) {
  std::vector<std::string> sources;
  while (!queue.incoming().empty()) {
    Binding& binding = *queue.incoming().back();
    sources.push_back(binding.source->name());
    binding.source->remove(binding);
  }
  auto node = queues_.extract(queues_.find(queue.name()));
  if (queue.durable()) journal_.delete_queue(queue.definition().id);
  for (Consumer* consumer : queue.close())
    consumer->channel().queue_deleted(*consumer);
  if (queue.unacked_count() > 0) deleted_.push_back(std::move(node.mapped()));
  sweep(std::move(sources));
}

void Engine::reap(Queue& queue) {
  if (!queue.closed() || queue.unacked_count() > 0) return;
  std::erase_if(deleted_, [&](const auto& deleted) { return deleted.get() == &queue; });
}

void Engine::consumer_left(Queue& queue) {
  if (queue.definition().auto_delete && queue.consumer_count() == 0 && !queue.closed()) {
    remove_queue(queue);
  }
}

Error Engine::purge_queue(std::string_view name, OwnerId requester, std::size_t& message_count) {
  Queue* queue = nullptr;
  if (Error error = find_queue(name, requester, queue)) return error;
  message_count = queue->purge();
  return {};
}

Error Engine::resolve(const BindingDefinition& definition, OwnerId requester, Binding& binding,
                      Exchange*& source) const {
  const bool to_queue = definition.destination_kind == DestinationKind::queue;
  if (definition.source.empty() || (!to_queue && definition.destination.empty())) {
    return {ErrorCode::access_refused,
            "operation not permitted on the default exchange in vhost '" + vhost_ + "'"};
  }
  if (to_queue) {
    if (Error error = find_queue(definition.destination, requester, binding.queue)) return error;
  } else {
    binding.exchange = find_exchange(definition.destination);
    if (!binding.exchange) return missing_exchange(definition.destination);
  }
  source = find_exchange(definition.source);
  if (!source) return missing_exchange(definition.source);
  if (source->definition().type == ExchangeType::headers) {
    auto match = HeadersMatch::from_arguments(reader_, definition.arguments);
    if (!match) {
      return {ErrorCode::precondition_failed, "invalid x-match for a binding to exchange '" +
                                                  definition.source +
                                                  "'; expected all, any, all-with-x or any-with-x"};
    }
    binding.headers = std::move(*match);
  }
  binding.definition = definition;
  return {};
}

namespace {

bool is_durable(const Exchange& source, const Binding& binding) {
  return source.definition().durable &&
         (binding.queue ? binding.queue->durable() : binding.exchange->definition().durable);
}

}  // namespace

Error Engine::bind(const BindingDefinition& definition, OwnerId requester) {
  auto binding = std::make_unique<Binding>();
  Exchange* source = nullptr;
  if (Error error = resolve(definition, requester, *binding, source)) return error;
  const bool durable = is_durable(*source, *binding);
  if (source->bind(std::move(binding)) && durable) journal_.bind(definition);
  return {};
}

Error Engine::unbind(const BindingDefinition& definition, OwnerId requester) {
  Binding wanted;
  Exchange* source = nullptr;
  if (Error error = resolve(definition, requester, wanted, source)) return error;
  const bool durable = is_durable(*source, wanted);
  if (!source->unbind(definition)) return {};
  if (durable) journal_.unbind(definition);
  sweep({definition.source});
  return {};
}

PublishResult Engine::publish(const PublishRequest& request) {
  targets_.clear();
  const MessageView& view = request.message;
  if (view.exchange.empty()) {
    const auto found = queues_.find(view.routing_key);
    if (found != queues_.end()) targets_.push_back(found->second.get());
  } else {
    Exchange* exchange = find_exchange(view.exchange);
    if (!exchange) return {missing_exchange(view.exchange), 0};
    if (exchange->definition().internal) {
      return {{ErrorCode::access_refused, "cannot publish to internal exchange '" +
                                              std::string(view.exchange) + "' in vhost '" + vhost_ +
                                              "'"},
              0};
    }
    router_.route(*exchange, view.routing_key, request.headers, targets_);
  }
  if (targets_.empty()) return {};
  LogPosition position = 0;
  if (request.persistent) {
    durable_targets_.clear();
    for (const Queue* queue : targets_) {
      if (queue->durable()) durable_targets_.push_back(queue->definition().id);
    }
    if (!durable_targets_.empty()) position = journal_.publish(view, durable_targets_);
  }
  const MessagePtr message = Message::make(view, position);
  for (Queue* queue : targets_)
    queue->push(message);
  return {{}, targets_.size()};
}

void Engine::connection_closed(OwnerId owner) {
  std::vector<Queue*> exclusive;
  for (const auto& [name, queue] : queues_) {
    if (queue->owner() == owner) exclusive.push_back(queue.get());
  }
  for (Queue* queue : exclusive)
    remove_queue(*queue);
}

void Engine::mark_delivered() {
  for (const auto& [name, queue] : queues_)
    queue->mark_delivered();
}

}  // namespace haypile::engine
