// Collects what a log's recovery hands over.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/journal.hpp"

namespace haypile::test {

class Recovered final : public engine::Recovery {
 public:
  struct Entry {
    engine::LogPosition position;
    std::string body;
    bool redelivered;
  };

  void exchange(const engine::ExchangeDefinition& definition) override {
    exchanges.push_back(definition);
  }
  void queue(const engine::QueueDefinition& definition) override {
    queues.push_back(definition);
    messages[definition.id];
  }
  void binding(const engine::BindingDefinition& definition) override {
    bindings.push_back(definition);
  }
  void message(engine::LogPosition position, const engine::MessageView& message,
               std::span<const engine::QueueId> holders,
               std::span<const bool> redelivered) override {
    for (std::size_t i = 0; i < holders.size(); ++i) {
      messages.at(holders[i]).push_back({position, std::string(message.body), redelivered[i]});
    }
    last = {std::string(message.exchange), std::string(message.routing_key),
            std::string(message.properties)};
  }

  // Of one queue, separated by blanks; "*" behind what may have been delivered.
  std::string text(engine::QueueId queue) const {
    std::string text;
    for (const Entry& entry : messages.at(queue)) {
      text += (text.empty() ? "" : " ") + entry.body + (entry.redelivered ? "*" : "");
    }
    return text;
  }

  std::vector<engine::ExchangeDefinition> exchanges;
  std::vector<engine::QueueDefinition> queues;
  std::vector<engine::BindingDefinition> bindings;
  std::map<engine::QueueId, std::vector<Entry>> messages;
  struct {
    std::string exchange, routing_key, properties;
  } last;
};

}  // namespace haypile::test
