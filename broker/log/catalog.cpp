#include "log/catalog.hpp"

#include <tuple>

namespace haypile::log {

bool Catalog::BySource::operator()(const Binding& a, const Binding& b) const {
  const auto tie = [](const Binding& binding) {
    return std::tie(binding.source, binding.destination_kind, binding.destination,
                    binding.routing_key, binding.arguments);
  };
  return tie(a) < tie(b);
}

bool Catalog::ByDestination::operator()(const Binding* a, const Binding* b) const {
  const auto tie = [](const Binding* binding) {
    return std::tie(binding->destination_kind, binding->destination, binding->source,
                    binding->routing_key, binding->arguments);
  };
  return tie(a) < tie(b);
}

void Catalog::declare_exchange(const engine::ExchangeDefinition& definition) {
  exchanges_[definition.name] = definition;
}

void Catalog::delete_exchange(std::string_view name) {
  const auto found = exchanges_.find(name);
  if (found != exchanges_.end()) exchanges_.erase(found);
  drop_bindings_from(name);
  drop_bindings_to({engine::DestinationKind::exchange, name});
}

void Catalog::declare_queue(const engine::QueueDefinition& definition) {
  queues_[definition.id] = definition;
}

void Catalog::delete_queue(engine::QueueId id) {
  const auto found = queues_.find(id);
  if (found == queues_.end()) return;
  drop_bindings_to({engine::DestinationKind::queue, found->second.name});
  queues_.erase(found);
  unused_since_.erase(id);
}

void Catalog::set_unused_since(engine::QueueId id, engine::TimeMs time) {
  if (!has_queue(id)) return;
  if (time == 0) {
    unused_since_.erase(id);
  } else {
    unused_since_[id] = time;
  }
}

void Catalog::drop_bindings_from(std::string_view exchange) {
  const auto [first, last] = bindings_.equal_range(exchange);
  for (auto binding = first; binding != last; ++binding)
    by_destination_.erase(&*binding);
  bindings_.erase(first, last);
}

void Catalog::drop_bindings_to(Destination destination) {
  const auto [first, last] = by_destination_.equal_range(destination);
  for (auto next = first; next != last;) {
    const Binding* binding = *next;
    next = by_destination_.erase(next);
    bindings_.erase(bindings_.find(*binding));
  }
}

void Catalog::bind(const engine::BindingDefinition& definition) {
  const auto [binding, is_new] = bindings_.insert(definition);
  if (is_new) by_destination_.insert(&*binding);
}

void Catalog::unbind(const engine::BindingDefinition& definition) {
  const auto binding = bindings_.find(definition);
  if (binding == bindings_.end()) return;
  by_destination_.erase(&*binding);
  bindings_.erase(binding);
}

void Catalog::apply(const Record& record) {
  if (const auto* exchange = std::get_if<ExchangeRecord>(&record)) {
    declare_exchange(exchange->definition);
  } else if (const auto* deleted = std::get_if<DeleteExchangeRecord>(&record)) {
    delete_exchange(deleted->name);
  } else if (const auto* queue = std::get_if<QueueRecord>(&record)) {
    declare_queue(queue->definition);
  } else if (const auto* gone = std::get_if<DeleteQueueRecord>(&record)) {
    delete_queue(gone->queue);
  } else if (const auto* unused = std::get_if<UnusedSinceRecord>(&record)) {
    set_unused_since(unused->queue, unused->time);
  } else if (const auto* binding = std::get_if<BindingRecord>(&record)) {
    if (binding->type == RecordType::bind) {
      bind(binding->definition);
    } else {
      unbind(binding->definition);
    }
  } else if (const auto* clock = std::get_if<ClockRecord>(&record)) {
    set_clock_offset(clock->offset_ms);
  }
}

std::string Catalog::encode() const {
  std::string out;
  if (clock_offset_ms_ != 0) append_clock(out, clock_offset_ms_);
  for (const auto& [name, exchange] : exchanges_)
    append_exchange(out, exchange);
  for (const auto& [id, queue] : queues_)
    append_queue(out, queue);
  for (const auto& [id, time] : unused_since_)
    append_unused_since(out, id, time);
  for (const auto& binding : bindings_)
    append_binding(out, RecordType::bind, binding);
  return out;
}

void Catalog::emit(engine::Recovery& recovery) const {
  for (const auto& [name, exchange] : exchanges_)
    recovery.exchange(exchange);
  for (const auto& [id, queue] : queues_) {
    const auto unused = unused_since_.find(id);
    recovery.queue(queue, unused == unused_since_.end() ? 0 : unused->second);
  }
  for (const auto& binding : bindings_)
    recovery.binding(binding);
}

}  // namespace haypile::log
