#include "log/catalog.hpp"

#include <tuple>

namespace haypile::log {

bool Catalog::BySource::operator()(const engine::BindingDefinition& a,
                                   const engine::BindingDefinition& b) const {
  const auto tie = [](const engine::BindingDefinition& binding) {
    return std::tie(binding.source, binding.destination_kind, binding.destination,
                    binding.routing_key, binding.arguments);
  };
  return tie(a) < tie(b);
}

void Catalog::declare_exchange(const engine::ExchangeDefinition& definition) {
  ++change_count_;
  exchanges_[definition.name] = definition;
}

void Catalog::delete_exchange(std::string_view name) {
  ++change_count_;
  const auto found = exchanges_.find(name);
  if (found != exchanges_.end()) exchanges_.erase(found);
  end_life(engine::DestinationKind::exchange, name);
}

void Catalog::declare_queue(const engine::QueueDefinition& definition) {
  ++change_count_;
  queues_[definition.id] = definition;
}

void Catalog::delete_queue(engine::QueueId id) {
  ++change_count_;
  const auto found = queues_.find(id);
  if (found == queues_.end()) return;
  end_life(engine::DestinationKind::queue, found->second.name);
  queues_.erase(found);
  unused_since_.erase(id);
}

Catalog::Life Catalog::life_of(engine::DestinationKind kind, const std::string& name) {
  Life& life = lives_[{kind, name}];
  if (!life) life = std::make_shared<bool>(true);
  return life;
}

void Catalog::end_life(engine::DestinationKind kind, std::string_view name) {
  const auto found = lives_.find({kind, std::string(name)});
  if (found == lives_.end()) return;
  *found->second = false;
  lives_.erase(found);
}

void Catalog::set_unused_since(engine::QueueId id, engine::TimeMs time) {
  ++change_count_;
  if (!has_queue(id)) return;
  if (time == 0) {
    unused_since_.erase(id);
  } else {
    unused_since_[id] = time;
  }
}

void Catalog::bind(const engine::BindingDefinition& definition) {
  ++change_count_;
  bindings_.insert_or_assign(definition,
                             Lives{life_of(engine::DestinationKind::exchange, definition.source),
                                   life_of(definition.destination_kind, definition.destination)});
}

void Catalog::unbind(const engine::BindingDefinition& definition) {
  ++change_count_;
  bindings_.erase(definition);
}

void Catalog::release_binding(const engine::BindingDefinition& definition) {
  const auto binding = bindings_.find(definition);
  if (binding != bindings_.end() && !binding->second.go_on()) bindings_.erase(binding);
}

void Catalog::release_bindings() {
  std::erase_if(bindings_, [](const auto& binding) { return !binding.second.go_on(); });
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
  for (const auto& [binding, lives] : bindings_) {
    if (lives.go_on()) append_binding(out, RecordType::bind, binding);
  }
  return out;
}

void Catalog::emit(engine::Recovery& recovery) const {
  for (const auto& [name, exchange] : exchanges_)
    recovery.exchange(exchange);
  for (const auto& [id, queue] : queues_) {
    const auto unused = unused_since_.find(id);
    recovery.queue(queue, unused == unused_since_.end() ? 0 : unused->second);
  }
  for (const auto& [binding, lives] : bindings_) {
    if (lives.go_on()) recovery.binding(binding);
  }
}

}  // namespace haypile::log
