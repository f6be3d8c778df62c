#include "engine/topology.hpp"

#include <algorithm>
#include <utility>

#include "engine/consumer.hpp"
#include "engine/equivalence.hpp"
#include "engine/invariant.hpp"
#include "engine/subscriptions.hpp"

namespace haypile::engine {

namespace {

// The work that comes with each queue, exchange or binding: tables, records of the journal, a
// reply.
constexpr std::uint64_t definition_units = 10;
// One call purges about more than can be published to all queues together in the same turn.
constexpr std::uint64_t purge_units_at_once = WorkBudget::units_per_turn;

}  // namespace

Topology::Topology(std::string vhost, QueueContext& context, std::uint64_t hash_seed)
    : vhost_(std::move(vhost)),
      context_(context),
      exchange_context_(TextHash(hash_seed), context_.memory),
      queues_(0, exchange_context_.hash),
      removals_(*this, context_),
      exchanges_(0, exchange_context_.hash) {
  create_predeclared();
}

Topology::~Topology() = default;

void Topology::create_predeclared() {
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

Error Topology::missing_exchange(std::string_view name) const {
  return {ErrorCode::not_found,
          "no exchange '" + std::string(name) + "' in vhost '" + vhost_ + "'"};
}

Error Topology::missing_queue(std::string_view name) const {
  return {ErrorCode::not_found, "no queue '" + std::string(name) + "' in vhost '" + vhost_ + "'"};
}

Exchange* Topology::find_exchange(std::string_view name) const {
  const auto found = exchanges_.find(name);
  return found == exchanges_.end() ? nullptr : found->second.get();
}

Error Topology::read_alternate(const ExchangeDefinition& definition, std::string& alternate) const {
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

Error Topology::declare_exchange(const ExchangeDefinition& wanted) {
  std::string alternate;
  if (Error error = read_alternate(wanted, alternate)) return error;
  if (const Exchange* exchange = find_exchange(wanted.name)) {
    return check_same(vhost_, *exchange, wanted, alternate);
  }
  if (wanted.name.starts_with("amq.")) {
    return {ErrorCode::access_refused,
            "exchange name '" + wanted.name + "' contains reserved prefix 'amq.*'"};
  }
  context_.work.spend(definition_units);
  exchanges_.emplace(wanted.name,
                     std::make_unique<Exchange>(wanted, std::move(alternate), exchange_context_));
  if (wanted.durable) context_.journal.declare_exchange(wanted);
  return {};
}

Error Topology::check_exchange(std::string_view name) const {
  return find_exchange(name) ? Error{} : missing_exchange(name);
}

Error Topology::delete_exchange(std::string_view name, bool if_unused, bool& is_done) {
  is_done = true;
  if (name.empty() || name.starts_with("amq.")) {
    return {ErrorCode::access_refused,
            "exchange '" + std::string(name) + "' in vhost '" + vhost_ + "' cannot be deleted"};
  }
  Exchange* exchange = find_exchange(name);
  if (!exchange) return {};
  const std::size_t others = removals_.unbinding_count();
  const Portion portion(context_.work, Removals::units_at_once);
  if (if_unused && removals_.is_in_use(*exchange, portion)) {
    return {ErrorCode::precondition_failed,
            "exchange '" + std::string(name) + "' in vhost '" + vhost_ + "' in use"};
  }
  is_done = !if_unused || !exchange->in_use();
  if (!is_done) return {};
  remove_exchange(*exchange);
  removals_.unbind_since(others, portion);
  return {};
}

// The caller has to call Removals::unbind_since() afterwards.
void Topology::remove_exchange(Exchange& exchange) {
  context_.work.spend(definition_units);
  if (exchange.definition().durable) context_.journal.delete_exchange(exchange.name());
  if (last_exchange_ == &exchange) last_exchange_ = nullptr;
  auto node = exchanges_.extract(exchanges_.find(exchange.name()));
  exchange.close();
  removals_.add_exchange(std::move(node.mapped()));
}

void Topology::binding_left(Exchange& source) {
  if (source.definition().auto_delete && !source.in_use() && !source.closed()) {
    remove_exchange(source);
  }
}

Error Topology::declare_queue(const QueueDefinition& wanted, OwnerId owner, OwnerId requester,
                              Queue*& queue) {
  context_.work.spend(1);
  QueueDefinition definition = wanted;
  // An exclusive queue is deleted with its connection at the latest, so it is never durable.
  if (owner != 0) definition.durable = false;
  if (!has_queue(wanted.name)) return create_queue(std::move(definition), owner, queue);
  if (Error error = find_queue(wanted.name, requester, queue)) return error;
  if (Error error = check_same(vhost_, context_.property_codec, *queue, definition, owner))
    return error;
  queue->note_use();
  return {};
}

Error Topology::create_queue(QueueDefinition definition, OwnerId owner, Queue*& queue) {
  const std::string place = "for queue '" + definition.name + "' in vhost '" + vhost_ + "'";
  QueueOptions options;
  if (Error error =
          read_queue_options(context_.property_codec, definition, owner != 0, place, options))
    return error;
  // A position is never used twice, so an id made of it is not, either.
  definition.id = context_.journal.end() + 1;
  auto created =
      std::make_unique<Queue>(std::move(definition), std::move(options), owner, context_);
  queue = created.get();
  queues_.emplace(queue->name(), std::move(created));
  context_.work.spend(definition_units);
  if (owner != 0) exclusive_[owner].emplace(queue->name(), queue);
  if (queue->durable()) context_.journal.declare_queue(queue->definition());
  queue->note_use();
  return {};
}

bool Topology::has_queue(std::string_view name) {
  Queue* queue = queue_named(name);
  if (!queue) return false;
  if (queue->owner() == 0 || !removals_.is_gone(queue->owner())) return true;
  remove_queue(*queue);
  return false;
}

Error Topology::find_queue(std::string_view name, OwnerId requester, Queue*& queue) {
  Queue* found = has_queue(name) ? queue_named(name) : nullptr;
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

Error Topology::delete_queue(std::string_view name, OwnerId requester, bool if_unused,
                             bool if_empty, std::size_t& message_count) {
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

void Topology::remove_queue(Queue& queue) {
  context_.work.spend(definition_units);
  auto node = queues_.extract(queues_.find(queue.name()));
  if (last_queue_ == &queue) last_queue_ = nullptr;
  const std::vector<Consumer*> consumers = queue.close();  // before its backlogs are gone
  if (queue.durable()) context_.journal.delete_queue(queue.definition().id);
  for (Consumer* consumer : consumers)
    consumer->subscriptions().queue_deleted(*consumer);
  if (queue.owner() != 0) {
    const auto owned = exclusive_.find(queue.owner());
    owned->second.erase(queue.name());
    if (owned->second.empty()) exclusive_.erase(owned);
  }
  removals_.add_queue(std::move(node.mapped()));
}

void Topology::consumer_left(Queue& queue) {
  if (queue.definition().auto_delete && queue.consumer_count() == 0 && !queue.closed()) {
    remove_queue(queue);
  }
}

// Messages that come while a purge is not finished stay.
Error Topology::purge_queue(std::string_view name, OwnerId requester, Purge& purge) {
  Queue* queue = nullptr;
  if (Error error = find_queue(name, requester, queue)) return error;
  if (!std::exchange(purge.has_begun, true)) purge.left = queue->ready_count();
  const std::size_t count = queue->purge(purge.left, Portion(context_.work, purge_units_at_once));
  purge.message_count += count;
  purge.left -= std::min(purge.left, count);
  purge.is_done = purge.left == 0 || queue->ready_count() == 0;
  return {};
}

Error Topology::resolve(const BindingDefinition& definition, OwnerId requester, Binding& binding,
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

BindingDefinition Topology::with_arguments_in_order(const BindingDefinition& given) const {
  BindingDefinition definition = given;
  if (!given.arguments.empty())
    definition.arguments = context_.property_codec.in_order(given.arguments);
  return definition;
}

Error Topology::bind(const BindingDefinition& given, OwnerId requester) {
  context_.work.spend(definition_units);
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
  // An equal binding may be left that leads to a deleted queue or exchange of that name.
  Binding* same = source->find(definition);
  if (same && same->is_gone()) removals_.drop(*same);
  const bool durable = binding->is_durable();
  if (source->bind(std::move(binding), headers) && durable) context_.journal.bind(definition);
  return {};
}

Error Topology::unbind(const BindingDefinition& given, OwnerId requester) {
  context_.work.spend(definition_units);
  const BindingDefinition definition = with_arguments_in_order(given);
  Binding wanted;
  HeadersMatch headers;
  Exchange* source = nullptr;
  if (Error error = resolve(definition, requester, wanted, headers, source)) {
    // If one end does not exist, the binding does not exist either.
    if (error.code == ErrorCode::not_found) return {};
    // Another connection's exclusive queue must not be revealed, unless it is bound.
    const bool locked = error.code == ErrorCode::resource_locked;
    source = find_exchange(definition.source);
    if (locked && source && !source->has(definition)) return {};
    return error;
  }
  const bool durable = wanted.is_durable();
  if (!source->unbind(definition)) return {};
  if (durable) context_.journal.unbind(definition);
  const std::size_t others = removals_.unbinding_count();
  binding_left(*source);
  removals_.unbind_since(others, Portion(context_.work, Removals::units_at_once));
  return {};
}

Queue* Topology::look_up(std::string_view name) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return nullptr;
  return last_queue_ = found->second.get();
}

Queue* Topology::owned_queue(OwnerId owner) {
  const auto owned = exclusive_.find(owner);
  return owned == exclusive_.end() ? nullptr : owned->second.begin()->second;
}

void Topology::restore_exchange(const ExchangeDefinition& definition) {
  std::string alternate;
  if (read_alternate(definition, alternate)) alternate.clear();
  exchanges_.try_emplace(definition.name, std::make_unique<Exchange>(
                                              definition, std::move(alternate), exchange_context_));
}

// A queue that was accepted once is accepted again. It has all options that this version can read.
Queue& Topology::restore_queue(const QueueDefinition& definition, TimeMs unused_since) {
  QueueOptions options;
  static_cast<void>(read_queue_options(context_.property_codec, definition, false, "", options));
  auto& place = queues_[definition.name];
  place = std::make_unique<Queue>(definition, std::move(options), 0, context_);
  place->restore_unused_since(unused_since);
  return *place;
}

// Ignores a binding if one of its ends does not exist.
void Topology::restore_binding(const BindingDefinition& definition) {
  auto binding = std::make_unique<Binding>();
  HeadersMatch headers;
  Exchange* source = nullptr;
  const BindingDefinition ordered = with_arguments_in_order(definition);
  if (resolve(ordered, 0, *binding, headers, source)) return;
  source->bind(std::move(binding), headers);
}

void Topology::check_invariants() const {
  for (const auto& [name, queue] : queues_) {
    expect_invariant(!queue->closed() && queue->name() == name, "a queue is known by its name");
  }
  for (const auto& [name, exchange] : exchanges_) {
    expect_invariant(!exchange->closed() && exchange->name() == name,
                     "an exchange is known by its name");
  }
  removals_.check_invariants();
}

}  // namespace haypile::engine
