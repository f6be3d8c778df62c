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
    std::uint32_t delivery_count;
    engine::TimeMs published_at;
    engine::StoredId stored = 0;
  };

  void exchange(const engine::ExchangeDefinition& definition) override {
    exchanges.push_back(definition);
  }
  void queue(const engine::QueueDefinition& definition, engine::TimeMs time) override {
    queues.push_back(definition);
    messages[definition.id];
    if (time != 0) unused_since[definition.id] = time;
  }
  void binding(const engine::BindingDefinition& definition) override {
    bindings.push_back(definition);
  }
  void backlog(engine::QueueId queue, std::uint8_t, engine::Backlog& backlog) override {
    backlog.look_at([&](const engine::StoredMessage& stored) {
      messages.at(queue).push_back({stored.position, std::string(stored.message.body),
                                    stored.redelivered, stored.delivery_count,
                                    stored.message.published_at, stored.id});
    });
  }
  void message(engine::LogPosition position, const engine::MessageView& message,
               std::span<const engine::RecoveredRef> refs) override {
    for (const engine::RecoveredRef& ref : refs) {
      messages.at(ref.queue).push_back({position, std::string(message.body), ref.redelivered,
                                        ref.delivery_count, message.published_at, 0});
    }
    last = {std::string(message.exchange), std::string(message.routing_key),
            std::string(message.properties)};
  }

  // The bodies in a queue, separated by blanks; "*" follows those that may have been delivered.
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
  std::map<engine::QueueId, engine::TimeMs> unused_since;  // unused queues only
  std::map<engine::QueueId, std::vector<Entry>> messages;
  struct {
    std::string exchange, routing_key, properties;
  } last;
};

}  // namespace haypile::test
