// Brings messages to their queues: routing, the queues' limits, the journal.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/definitions.hpp"
#include "engine/draft.hpp"
#include "engine/error.hpp"
#include "engine/message.hpp"
#include "engine/router.hpp"
#include "engine/topology.hpp"

namespace haypile::engine {

// A message to publish. The engine sets `message.published_at`; the given value is ignored.
struct PublishRequest {
  MessageView message;
  MessageTraits traits;
  std::string_view headers;  // the message's encoded header table; empty if it has none
  std::span<const std::string_view> more_keys{};  // besides the message's own routing key
  // A draft with the same contents as `message`, or null. It is kept, so that nothing is copied.
  Draft* draft = nullptr;
};

struct PublishResult {
  Error error;
  std::size_t queue_count = 0;  // 0: unroutable
  bool rejected = false;        // a queue was full and refused it
};

// Brings messages to their queues in two steps: route() finds the queues, enqueue() puts the
// message into them. In between, callers may remove some of the queues. Belongs to the engine's
// thread.
class Publisher {
 public:
  // The topology must outlive the object.
  explicit Publisher(Topology& topology);

  // Finds targets(). `exchange` is the message's exchange, null for the default exchange. Returns
  // false if the message has too many routing keys; then targets are missing.
  bool route(const PublishRequest& request, Exchange* exchange) {
    targets_.clear();
    if (exchange) return route_through(*exchange, request);
    if (!request.more_keys.empty()) {
      route_by_names(request);
    } else if (Queue* queue = topology_.queue_named(request.message.routing_key)) {
      targets_.push_back(queue);
    }
    return true;
  }
  std::vector<Queue*>& targets() { return targets_; }
  // Removes the queues of those names from targets().
  void remove_targets(const std::vector<std::string>& names);
  // Pushes the message to all targets(), with one record in the journal and one message in memory
  // for all of them. Returns false if a target refuses the message.
  bool enqueue(const PublishRequest& request);

 private:
  bool route_through(Exchange& exchange, const PublishRequest& request);
  void route_by_names(const PublishRequest& request);
  bool remove_refusing_targets(const PublishRequest& request);

  Topology& topology_;
  QueueContext& context_;
  Router router_;
  std::vector<Queue*> targets_;
  std::vector<QueueId> durable_targets_;
  std::vector<std::string_view> keys_;
};

}  // namespace haypile::engine
