#include "engine/restore.hpp"

namespace haypile::engine {

void Restore::exchange(const ExchangeDefinition& definition) {
  std::string alternate;
  if (engine_.read_alternate(definition, alternate)) alternate.clear();
  engine_.exchanges_.try_emplace(
      definition.name,
      std::make_unique<Exchange>(definition, std::move(alternate), engine_.exchange_context_));
}

void Restore::queue(const QueueDefinition& definition, TimeMs unused_since) {
  QueueOptions options;
  // What was accepted once is accepted again, but for an argument that this version cannot read:
  // such a queue goes on with those before it.
  static_cast<void>(
      read_queue_options(engine_.context_.property_codec, definition, false, "", options));
  auto& place = engine_.queues_[definition.name];
  place = std::make_unique<Queue>(definition, std::move(options), 0, engine_.context_);
  place->restore_unused_since(unused_since);
  by_id_[definition.id] = place.get();
}

void Restore::binding(const BindingDefinition& definition) {
  auto binding = std::make_unique<Binding>();
  HeadersMatch headers;
  Exchange* source = nullptr;
  const BindingDefinition ordered = engine_.with_arguments_in_order(definition);
  if (engine_.resolve(ordered, 0, *binding, headers, source)) return;  // one end is gone
  source->bind(std::move(binding), headers);
}

void Restore::backlog(QueueId id, std::uint8_t priority, Backlog& backlog) {
  const auto queue = by_id_.find(id);
  if (queue != by_id_.end()) queue->second->restore_backlog(priority, backlog);
}

void Restore::message(LogPosition position, const MessageView& view,
                      std::span<const RecoveredRef> copies) {
  const MessagePtr message =
      Message::make(view, engine_.context_.property_codec.traits(view.properties), position,
                    engine_.context_.memory);
  for (const RecoveredRef& copy : copies) {
    const auto queue = by_id_.find(copy.queue);
    if (queue == by_id_.end()) continue;
    queue->second->restore(message, copy.redelivered, copy.delivery_count);
  }
}

}  // namespace haypile::engine
