#include "engine/publisher.hpp"

#include <algorithm>

#include "engine/canary.hpp"

namespace haypile::engine {

Publisher::Publisher(Topology& topology)
    : topology_(topology),
      context_(topology.context()),
      router_(context_.property_codec, topology.exchange_context(), topology.exchanges()) {}

bool Publisher::route_through(Exchange& exchange, const PublishRequest& request) {
  keys_.assign(1, request.message.routing_key);
  keys_.insert(keys_.end(), request.more_keys.begin(), request.more_keys.end());
  const bool is_complete = router_.route(exchange, keys_, request.headers, targets_);
  context_.work.spend(router_.steps() / Router::steps_per_unit);
  return is_complete;
}

void Publisher::route_by_names(const PublishRequest& request) {
  context_.work.spend(request.more_keys.size() / Router::steps_per_unit);
  router_.begin();
  if (Queue* queue = topology_.queue_named(request.message.routing_key))
    router_.add(*queue, targets_);
  for (const std::string_view key : request.more_keys) {
    if (Queue* queue = topology_.queue_named(key)) router_.add(*queue, targets_);
  }
}

// Removes the queues that refuse the message from the targets; true if there are any. With
// x-overflow=reject-publish-dlx such a queue dead-letters the message.
bool Publisher::remove_refusing_targets(const PublishRequest& request) {
  const auto refuses = [&](Queue* queue) {
    if (!queue->refuses(request.message.body.size())) return false;
    if (queue->options().overflow == Overflow::reject_publish_dlx &&
        queue->options().dead_letter_exchange) {
      Draft draft(request.message, request.message.body.size(), request.traits, context_.memory);
      draft.append(request.message.body);
      queue->refuse({draft.message()});
    }
    return true;
  };
  return std::erase_if(targets_, refuses) > 0;
}

bool Publisher::enqueue(const PublishRequest& request) {
  bool rejected = false;
  bool has_rules = false;
  for (const Queue* queue : targets_)
    has_rules = has_rules || queue->may_refuse();
  if (has_rules) {
    rejected = remove_refusing_targets(request);
    if (targets_.empty()) return false;
  }
  MessageView view = request.message;
  view.published_at = context_.now;
  durable_targets_.clear();
  if (request.traits.persistent || HAYPILE_CANARY(transient_logged)) {
    for (const Queue* queue : targets_) {
      if (queue->durable()) durable_targets_.push_back(queue->definition().id);
    }
  }
  const LogPosition position =
      durable_targets_.empty() ? 0 : context_.journal.publish(view, durable_targets_);
  const MessagePtr message = request.draft
                                 ? request.draft->finish(position, view.published_at)
                                 : Message::make(view, request.traits, position, context_.memory);
  context_.work.spend(targets_.size(), message->payload_size());
  for (Queue* queue : targets_)
    queue->push(message);
  return !rejected;
}

void Publisher::remove_targets(const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::vector<const Queue*> queues;
  for (const std::string& name : names) {
    if (const Queue* queue = topology_.queue_named(name)) queues.push_back(queue);
  }
  if (queues.empty()) return;
  std::ranges::sort(queues);
  std::erase_if(targets_,
                [&](const Queue* queue) { return std::ranges::binary_search(queues, queue); });
}

}  // namespace haypile::engine
