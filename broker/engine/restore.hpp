// Fills an engine with what recovery found in the log.
#pragma once

#include <unordered_map>

#include "engine/engine.hpp"

namespace haypile::engine {

// Passes recovered definitions and messages to the engine, without telling the journal. Nobody else
// may use the engine yet; it must know the time (set_now()) and outlive this object.
class Restore final : public Recovery {
 public:
  explicit Restore(Engine& engine) : topology_(engine.topology()) {}

  void exchange(const ExchangeDefinition& definition) override;
  void queue(const QueueDefinition& definition, TimeMs unused_since) override;
  void binding(const BindingDefinition& definition) override;
  void backlog(QueueId queue, std::uint8_t priority, Backlog& backlog) override;
  void message(LogPosition position, const MessageView& view,
               std::span<const RecoveredRef> queues) override;

 private:
  Topology& topology_;
  std::unordered_map<QueueId, Queue*> by_id_;
};

}  // namespace haypile::engine
