#include "engine/restore.hpp"

namespace haypile::engine {

void Restore::exchange(const ExchangeDefinition& definition) {
  engine_.exchanges_.try_emplace(definition.name, std::make_unique<Exchange>(definition));
}

void Restore::queue(const QueueDefinition& definition) {
  auto& place = engine_.queues_[definition.name];
  place = std::make_unique<Queue>(definition, 0, engine_.journal_);
  by_id_[definition.id] = place.get();
}

void Restore::binding(const BindingDefinition& definition) {
  auto binding = std::make_unique<Binding>();
  Exchange* source = nullptr;
  if (engine_.resolve(definition, 0, *binding, source)) return;  // one end is gone
  source->bind(std::move(binding));
}

void Restore::message(LogPosition position, const MessageView& view,
                      std::span<const QueueId> queues, std::span<const bool> redelivered) {
  const MessagePtr message = Message::make(view, position);
  for (std::size_t i = 0; i < queues.size(); ++i) {
    const auto queue = by_id_.find(queues[i]);
    if (queue != by_id_.end()) queue->second->restore(message, redelivered[i]);
  }
}

}  // namespace haypile::engine
