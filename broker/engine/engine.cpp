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

// What one call does of a long job; the rest is advance()'s.
constexpr std::uint64_t units_at_once = 1000;
// What comes with a queue, an exchange, a binding: tables, records of the journal, a reply.
constexpr std::uint64_t definition_units = 10;
// More than may be published in the same turn to all queues together, about.
constexpr std::uint64_t purge_units_at_once = WorkBudget::units_per_turn;

std::string text(bool value) {
  return value ? "true" : "false";
}

}  // namespace

Engine::Engine(std::string vhost, Journal& journal, const PropertyCodec& property_codec,
               std::uint64_t hash_seed)
    : vhost_(std::move(vhost)),
      context_{journal, property_codec},
      exchange_context_(TextHash(hash_seed), context_.memory),
      queues_(0, exchange_context_.hash),
      exchanges_(0, exchange_context_.hash),
      router_(property_codec, exchange_context_, exchanges_),
      reply_receivers_(0, exchange_context_.hash) {
  create_predeclared();
}

Engine::~Engine() = default;

void Engine::create_predeclared() {
  const auto create = [this](const char* name, ExchangeType type) {
    exchanges_.emplace(
        name, std::make_unique<Exchange>(ExchangeDefinition{name, type, true, false, false, ""}, "",
                                         exchange_context_));
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

Error Engine::inequivalent(const std::string& kind, const std::string& name,
                           std::string_view argument, const std::string& received,
                           const std::string& current) const {
  return {ErrorCode::precondition_failed, "inequivalent arg '" + std::string(argument) + "' for " +
                                              kind + " '" + name + "' in vhost '" + vhost_ +
                                              "': received '" + received + "' but current is '" +
                                              current + "'"};
}

Exchange* Engine::find_exchange(std::string_view name) const {
  const auto found = exchanges_.find(name);
  return found == exchanges_.end() ? nullptr : found->second.get();
}

Error Engine::read_alternate(const ExchangeDefinition& definition, std::string& alternate) const {
  const auto value = context_.property_codec.find(definition.arguments, "alternate-exchange");
  if (!value) return {};
  if (value->kind != TableValue::Kind::text) {
    return {ErrorCode::precondition_failed, "invalid arg 'alternate-exchange' for exchange '" +
                                                definition.name + "' in vhost '" + vhost_ + "': '" +
                                                value->text + "', expected a string"};
  }
  alternate = value->text;
  return {};
}

Error Engine::declare_exchange(const ExchangeDefinition& wanted) {
  std::string alternate;
  if (Error error = read_alternate(wanted, alternate)) return error;
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
    if (alternate != exchange->alternate()) {
      const auto shown = [](const std::string& name) { return name.empty() ? "none" : name; };
      return differs("alternate-exchange", shown(alternate), shown(exchange->alternate()));
    }
    return {};
  }
  if (wanted.name.starts_with("amq.")) {
    return {ErrorCode::access_refused,
            "exchange name '" + wanted.name + "' contains reserved prefix 'amq.*'"};
  }
  work().spend(definition_units);
  exchanges_.emplace(wanted.name,
                     std::make_unique<Exchange>(wanted, std::move(alternate), exchange_context_));
  if (wanted.durable) context_.journal.declare_exchange(wanted);
  return {};
}

Error Engine::check_exchange(std::string_view name) const {
  return find_exchange(name) ? Error{} : missing_exchange(name);
}

Error Engine::delete_exchange(std::string_view name, bool if_unused, bool& is_done) {
  is_done = true;
  if (name.empty() || name.starts_with("amq.")) {
    return {ErrorCode::access_refused,
            "exchange '" + std::string(name) + "' in vhost '" + vhost_ + "' cannot be deleted"};
  }
  Exchange* exchange = find_exchange(name);
  if (!exchange) return {};
  const std::size_t others = unbinding_.size();
  const Portion portion(work(), units_at_once);
  if (if_unused && is_in_use(*exchange, portion)) {
    return {ErrorCode::precondition_failed,
            "exchange '" + std::string(name) + "' in vhost '" + vhost_ + "' in use"};
  }
  is_done = !if_unused || !exchange->in_use();
  if (!is_done) return {};
  remove_exchange(*exchange);
  continue_unbinding(portion, others);
  return {};
}

// The caller goes on with unbinding it.
void Engine::remove_exchange(Exchange& exchange) {
  work().spend(definition_units);
  if (exchange.definition().durable) context_.journal.delete_exchange(exchange.name());
  if (last_exchange_ == &exchange) last_exchange_ = nullptr;
  auto node = exchanges_.extract(exchanges_.find(exchange.name()));
  exchange.close();
  unbinding_.push_back({.exchange = std::move(node.mapped())});
}

void Engine::binding_left(Exchange& source) {
  if (source.definition().auto_delete && !source.in_use() && !source.closed()) {
    remove_exchange(source);
  }
}

Error Engine::check_same(const Queue& queue, const QueueDefinition& wanted, OwnerId owner) const {
  const QueueDefinition& current = queue.definition();
  const auto differs = [&](std::string_view argument, std::string received, std::string is) {
    return inequivalent("queue", wanted.name, argument, received, is);
  };
  if (wanted.durable != current.durable) {
    return differs("durable", text(wanted.durable), text(current.durable));
  }
  if (wanted.auto_delete != current.auto_delete) {
    return differs("auto_delete", text(wanted.auto_delete), text(current.auto_delete));
  }
  if ((owner != 0) != (queue.owner() != 0)) {
    Error error = differs("exclusive", text(owner != 0), text(queue.owner() != 0));
    return {ErrorCode::resource_locked, std::move(error.text)};
  }
  if (wanted.arguments == current.arguments) return {};
  const auto value_in = [](const std::vector<EffectiveArgument>& all, std::string_view name) {
    const auto found = std::ranges::find(all, name, &EffectiveArgument::name);
    return found == all.end() ? std::string("none") : found->value;
  };
  const auto received = effective_arguments(context_.property_codec, wanted.arguments);
  const auto has = effective_arguments(context_.property_codec, current.arguments);
  for (const auto* side : {&received, &has}) {
    for (const EffectiveArgument& argument : *side) {
      const std::string in_wanted = value_in(received, argument.name);
      const std::string in_current = value_in(has, argument.name);
      if (in_wanted != in_current) return differs(argument.name, in_wanted, in_current);
    }
  }
  return {};
}

Error Engine::declare_queue(const QueueDefinition& wanted, OwnerId owner, OwnerId requester,
                            Queue*& queue) {
  work().spend(1);
  QueueDefinition definition = wanted;
  // An exclusive queue goes with its connection at the latest: nothing of it is worth keeping.
  if (owner != 0) definition.durable = false;
  if (!has_queue(wanted.name)) return create_queue(std::move(definition), owner, queue);
  if (Error error = find_queue(wanted.name, requester, queue)) return error;
  if (Error error = check_same(*queue, definition, owner)) return error;
  queue->note_use();
  return {};
}

Error Engine::create_queue(QueueDefinition definition, OwnerId owner, Queue*& queue) {
  const std::string place = "for queue '" + definition.name + "' in vhost '" + vhost_ + "'";
  QueueOptions options;
  if (Error error =
          read_queue_options(context_.property_codec, definition, owner != 0, place, options))
    return error;
  // A position is never used twice, so neither is an id made of it.
  definition.id = context_.journal.end() + 1;
  auto created =
      std::make_unique<Queue>(std::move(definition), std::move(options), owner, context_);
  queue = created.get();
  queues_.emplace(queue->name(), std::move(created));
  work().spend(definition_units);
  if (owner != 0) exclusive_[owner].emplace(queue->name(), queue);
  if (queue->durable()) context_.journal.declare_queue(queue->definition());
  queue->note_use();
  return {};
}

bool Engine::has_queue(std::string_view name) {
  Queue* queue = named_queue(name);
  if (!queue) return false;
  if (gone_owners_.empty() || queue->owner() == 0) return true;
  if (std::ranges::count(gone_owners_, queue->owner()) == 0) return true;
  remove_queue(*queue);
  return false;
}

Error Engine::find_queue(std::string_view name, OwnerId requester, Queue*& queue) {
  Queue* found = has_queue(name) ? named_queue(name) : nullptr;
  if (!found) return missing_queue(name);
  const OwnerId owner = found->owner();
  if (owner != 0 && owner != requester) {
    return {ErrorCode::resource_locked, "cannot obtain exclusive access to locked queue '" +
                                            std::string(name) + "' in vhost '" + vhost_ +
                                            "'; it belongs to another connection"};
  }
  queue = found;
  return {};
}

Error Engine::delete_queue(std::string_view name, OwnerId requester, bool if_unused, bool if_empty,
                           std::size_t& message_count) {
  message_count = 0;
  if (!has_queue(name)) return {};
  Queue* queue = nullptr;
  if (Error error = find_queue(name, requester, queue)) return error;
  const auto refuse = [&](const char* why) {
    return Error{ErrorCode::precondition_failed,
                 "queue '" + std::string(name) + "' in vhost '" + vhost_ + "' " + why};
  };
  if (if_unused && queue->consumer_count() > 0) return refuse("in use");
  if (if_empty && queue->ready_count() > 0) return refuse("not empty");
  message_count = queue->ready_count();
  remove_queue(*queue);
  return {};
}

void Engine::remove_queue(Queue& queue) {
  work().spend(definition_units);
  auto node = queues_.extract(queues_.find(queue.name()));
  if (last_named_ == &queue) last_named_ = nullptr;
  const std::vector<Consumer*> consumers = queue.close();  // as long as its backlogs are there
  if (queue.durable()) context_.journal.delete_queue(queue.definition().id);
  for (Consumer* consumer : consumers)
    consumer->subscriptions().queue_deleted(*consumer);
  if (queue.owner() != 0) {
    const auto owned = exclusive_.find(queue.owner());
    owned->second.erase(queue.name());
    if (owned->second.empty()) exclusive_.erase(owned);
  }
  deleted_.emplace(&queue, std::move(node.mapped()));
  if (queue.ready_count() > 0) discarding_.push_back(&queue);
  const std::size_t others = unbinding_.size();
  unbinding_.push_back({.queue = &queue});
  continue_unbinding(Portion(work(), units_at_once), others);
  if (discarding_.size() == 1) continue_discarding(Portion(work(), units_at_once));
}

void Engine::consumer_left(Queue& queue) {
  if (queue.definition().auto_delete && queue.consumer_count() == 0 && !queue.closed()) {
    remove_queue(queue);
  }
}

// What comes while it goes on stays.
Error Engine::purge_queue(std::string_view name, OwnerId requester, Purge& purge) {
  Queue* queue = nullptr;
  if (Error error = find_queue(name, requester, queue)) return error;
  if (!std::exchange(purge.has_begun, true)) purge.left = queue->ready_count();
  const std::size_t count = queue->purge(purge.left, Portion(work(), purge_units_at_once));
  purge.message_count += count;
  purge.left -= std::min(purge.left, count);
  purge.is_done = purge.left == 0 || queue->ready_count() == 0;
  return {};
}

Error Engine::resolve(const BindingDefinition& definition, OwnerId requester, Binding& binding,
                      HeadersMatch& headers, Exchange*& source) {
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
    auto match = HeadersMatch::from_arguments(context_.property_codec, definition.arguments);
    if (!match) {
      return {ErrorCode::precondition_failed, "invalid x-match for a binding to exchange '" +
                                                  definition.source +
                                                  "'; expected all, any, all-with-x or any-with-x"};
    }
    headers = std::move(*match);
  }
  binding.definition = definition;
  binding.source = source;
  return {};
}

BindingDefinition Engine::with_arguments_in_order(const BindingDefinition& given) const {
  BindingDefinition definition = given;
  if (!given.arguments.empty())
    definition.arguments = context_.property_codec.in_order(given.arguments);
  return definition;
}

Error Engine::bind(const BindingDefinition& given, OwnerId requester) {
  work().spend(definition_units);
  const BindingDefinition definition = with_arguments_in_order(given);
  auto binding = std::make_unique<Binding>();
  HeadersMatch headers;
  Exchange* source = nullptr;
  if (Error error = resolve(definition, requester, *binding, headers, source)) return error;
  const std::size_t weight = source->weight_of(definition, headers);
  if (weight > 0 && source->weight() + weight > Exchange::weight_max && !source->has(definition)) {
    return {ErrorCode::precondition_failed,
            "exchange '" + definition.source + "' in vhost '" + vhost_ +
                "' has as many wildcards or headers in its bindings as it may have"};
  }
  // One between this source and what had the name of the destination before.
  Binding* same = source->find(definition);
  if (same && same->is_gone()) drop(*same);
  const bool durable = binding->is_durable();
  if (source->bind(std::move(binding), headers) && durable) context_.journal.bind(definition);
  return {};
}

Error Engine::unbind(const BindingDefinition& given, OwnerId requester) {
  work().spend(definition_units);
  const BindingDefinition definition = with_arguments_in_order(given);
  Binding wanted;
  HeadersMatch headers;
  Exchange* source = nullptr;
  if (Error error = resolve(definition, requester, wanted, headers, source)) {
    // What is missing has no binding left.
    if (error.code == ErrorCode::not_found) return {};
    // What another connection keeps to itself is not told to be there, unless it is bound.
    const bool locked = error.code == ErrorCode::resource_locked;
    source = find_exchange(definition.source);
    if (locked && source && !source->has(definition)) return {};
    return error;
  }
  const bool durable = wanted.is_durable();
  if (!source->unbind(definition)) return {};
  if (durable) context_.journal.unbind(definition);
  const std::size_t others = unbinding_.size();
  binding_left(*source);
  continue_unbinding(Portion(work(), units_at_once), others);
  return {};
}

void Engine::connection_closed(OwnerId owner) {
  if (!exclusive_.contains(owner)) return;
  gone_owners_.push_back(owner);
  continue_removing(Portion(work(), units_at_once));
}

void Engine::mark_delivered() {
  while (!settling_jobs_.empty())
    continue_settling(Portion(work(), units_at_once));
  for (int i = 0; i < 100 && !context_.letters.empty(); ++i)
    pass_on_letters(units_at_once);
  for (const auto& [name, queue] : queues_)
    queue->mark_delivered();
  // Those that are left when this was not enough are in their old queues again at the next start.
  context_.letters.each([](DeadLetter& letter) {
    if (letter.reason == DeathReason::rejected) letter.entry.redelivered = true;
    letter.queue->mark_delivered(letter.entry);
  });
}

}  // namespace haypile::engine
