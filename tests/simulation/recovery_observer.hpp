// Checks that everything a recovery hands over was once declared or published.
#pragma once

#include <map>
#include <string>

#include "engine/journal.hpp"
#include "simulation/reference_model.hpp"

namespace haypile::simulation {

// Collects what was recovered in `found`. Throws Violation.
class RecoveryObserver final : public engine::Recovery {
 public:
  explicit RecoveryObserver(ReferenceModel& model) : model_(model) {}

  void exchange(const engine::ExchangeDefinition& definition) override {
    const int index = find_exchange(definition.name);
    const bool is_direct = definition.type == engine::ExchangeType::direct;
    if (index == nowhere || !definition.durable || is_direct != (index == direct)) {
      throw Violation{"altered", "exchange " + definition.name};
    }
    note(model_.exchange_key(index), definition.name);
  }
  void queue(const engine::QueueDefinition& definition, engine::TimeMs) override {
    const int index = find_queue(definition.name);
    if (index == nowhere || !definition.durable || !simulation::queue(index).durable ||
        definition.arguments != simulation::queue(index).arguments.bytes()) {
      throw Violation{"altered", "queue " + definition.name};
    }
    note(model_.queue_key(index), definition.name);
    by_id_[definition.id] = index;
  }
  void binding(const engine::BindingDefinition& definition) override {
    const bool to_exchange = definition.destination_kind == engine::DestinationKind::exchange;
    const int index = find_binding(definition.source, to_exchange, definition.destination,
                                   definition.routing_key);
    const std::string text = "binding of " + definition.source + " to " + definition.destination;
    if (index == nowhere) throw Violation{"altered", text};
    note(model_.binding_key(index), text);
  }
  // Sorts the messages of each priority by position, the order in which they came to the queue.
  void backlog(engine::QueueId queue, std::uint8_t, engine::Backlog& backlog) override {
    const int index = by_id_.at(queue);
    auto& entries = found.entries[static_cast<std::size_t>(index)];
    entries.clear();
    backlog.look_at([&](const engine::StoredMessage& stored) {
      stored_[index].insert({stored.position, see(stored.message, index, stored.redelivered)});
    });
    for (const auto& [position, entry] : stored_[index])
      entries.push_back(entry);
  }
  void message(engine::LogPosition, const engine::MessageView& view,
               std::span<const engine::RecoveredRef> refs) override {
    for (const engine::RecoveredRef& ref : refs) {
      const int index = by_id_.at(ref.queue);
      found.entries[static_cast<std::size_t>(index)].push_back(see(view, index, ref.redelivered));
    }
  }

  Found found;

 private:
  Found::Entry see(const engine::MessageView& view, int index, bool redelivered) {
    const Number number = number_in(view.body);
    const Message* message = model_.messages().find(number);
    if (!message) throw Violation{"unknown-message", std::to_string(number)};
    const int origin = model_.origin_of(number, index);
    const std::string text =
        difference(*message, view.exchange, view.routing_key, view.properties, view.body,
                   origin == nowhere ? "" : simulation::queue(origin).name);
    if (!text.empty()) {
      throw Violation{"altered", text + " of message " + std::to_string(number)};
    }
    return {number, redelivered};
  }
  void note(Key key, const std::string& text) {
    if (!found.definitions.insert(key).second) throw Violation{"twice", text};
  }

  ReferenceModel& model_;
  std::map<engine::QueueId, int> by_id_;
  std::map<int, std::map<engine::LogPosition, Found::Entry>> stored_;  // backlogs, by queue
};

}  // namespace haypile::simulation
