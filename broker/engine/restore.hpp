// Fills an engine with what recovery found in the log.
#pragma once

#include <unordered_map>

#include "engine/engine.hpp"

namespace haypile::engine {

// For an engine that nobody uses yet, and that knows the time (set_now()); the engine outlives it.
// Nothing goes to the journal.
class Restore final : public Recovery {
 public:
  explicit Restore(Engine& engine) : engine_(engine) {}

  void exchange(const ExchangeDefinition& definition) override;
  void queue(const QueueDefinition& definition, TimeMs unused_since) override;
  void binding(const BindingDefinition& definition) override;
  void backlog(QueueId queue, std::uint8_t priority, Backlog& backlog) override;
  void message(LogPosition position, const MessageView& view,
               std::span<const RecoveredRef> copies) override;

 private:
  Engine& engine_;
  std::unordered_map<QueueId, Queue*> by_id_;
};

}  // namespace haypile::engine
