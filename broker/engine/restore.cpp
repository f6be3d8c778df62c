#include "engine/restore.hpp"

namespace haypile::engine {

void Restore::exchange(const ExchangeDefinition& definition) {
  topology_.restore_exchange(definition);
}

void Restore::queue(const QueueDefinition& definition, TimeMs unused_since) {
  by_id_[definition.id] = &topology_.restore_queue(definition, unused_since);
}

void Restore::binding(const BindingDefinition& definition) {
  topology_.restore_binding(definition);
}

void Restore::backlog(QueueId id, std::uint8_t priority, Backlog& backlog) {
  const auto queue = by_id_.find(id);
  if (queue != by_id_.end()) queue->second->restore_backlog(priority, backlog);
}

void Restore::message(LogPosition position, const MessageView& view,
                      std::span<const RecoveredRef> queues) {
  QueueContext& context = topology_.context();
  const MessagePtr message =
      Message::make(view, context.property_codec.traits(view.properties), position, context.memory);
  for (const RecoveredRef& each : queues) {
    const auto queue = by_id_.find(each.queue);
    if (queue == by_id_.end()) continue;
    queue->second->restore(message, each.redelivered, each.delivery_count);
  }
}

}  // namespace haypile::engine
