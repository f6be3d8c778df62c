#include "engine/router.hpp"

#include <utility>

namespace haypile::engine {

namespace {
// The steps to decode a header and to look it up.
constexpr std::uint64_t steps_per_field = 10;
}  // namespace

bool Router::route(Exchange& start, std::span<const std::string_view> routing_keys,
                   std::string_view headers, std::vector<Queue*>& queues) {
  ++routing_;
  steps_ = 0;
  is_complete_ = true;
  has_fields_ = false;
  start.is_new_in(routing_);
  const Address address{routing_keys, headers};
  Exchange* exchange = &start;
  for (;;) {
    ++steps_;
    if (!follow(*exchange, address, queues)) visit_alternate(*exchange);
    if (pending_.empty()) return is_complete_;
    exchange = pending_.back();
    pending_.pop_back();
  }
}

// Returns whether a binding matches whose destination exists.
bool Router::follow(Exchange& exchange, const Address& address, std::vector<Queue*>& queues) {
  switch (exchange.definition().type) {
    case ExchangeType::direct:
      return follow_keys(exchange, address, queues);
    case ExchangeType::topic:
      return follow_patterns(exchange.by_pattern(), address, queues);
    case ExchangeType::headers:
      return follow_headers(exchange.by_headers(), address, queues);
    case ExchangeType::fanout:
      break;
  }
  return take(exchange.all_targets(), queues);
}

bool Router::follow_keys(Exchange& exchange, const Address& address, std::vector<Queue*>& queues) {
  bool matched = false;
  for (const std::string_view& key : address.routing_keys) {
    if (&key != address.routing_keys.data() && is_enough()) break;
    ++steps_;
    const auto found = exchange.by_key().find(key);
    if (found == exchange.by_key().end()) continue;
    if (std::exchange(found->second.routing, routing_) == routing_) continue;
    if (take(found->second.targets, queues)) matched = true;
  }
  return matched;
}

bool Router::follow_patterns(TopicTrie& patterns, const Address& address,
                             std::vector<Queue*>& queues) {
  patterns.begin_match(address.routing_keys.size() > 1);
  for (const std::string_view& key : address.routing_keys) {
    if (&key != address.routing_keys.data() && is_enough()) break;
    steps_ += patterns.match(key);
  }
  bool matched = false;
  for (const Targets* targets : patterns.found()) {
    if (take(*targets, queues)) matched = true;
  }
  return matched;
}

bool Router::follow_headers(HeadersIndex& index, const Address& address,
                            std::vector<Queue*>& queues) {
  if (!std::exchange(has_fields_, true)) {
    std::vector<TableField> fields;
    if (conditions_.size() > 0) fields = reader_.fields(address.headers);
    conditions_.look_at(fields);
    steps_ += steps_per_field * fields.size();
  }
  const auto& found = index.match();
  steps_ += index.steps();
  bool matched = false;
  for (const Targets* targets : found) {
    if (take(*targets, queues)) matched = true;
  }
  return matched;
}

// Whether the remaining keys are skipped.
bool Router::is_enough() {
  if (steps_ > steps_max) is_complete_ = false;
  return !is_complete_;
}

// Returns whether any of the destinations exists.
bool Router::take(const Targets& targets, std::vector<Queue*>& queues) {
  steps_ += targets.size();
  bool matched = false;
  for (const Target& target : targets) {
    Destination& destination = *target.destination;
    if (destination.closed()) continue;
    matched = true;
    if (!destination.is_new_in(routing_)) continue;
    if (destination.is_queue()) {
      queues.push_back(static_cast<Queue*>(&destination));
    } else {
      pending_.push_back(static_cast<Exchange*>(&destination));
    }
  }
  return matched;
}

void Router::visit_alternate(const Exchange& exchange) {
  if (exchange.alternate().empty()) return;
  const auto alternate = exchanges_.find(exchange.alternate());
  if (alternate != exchanges_.end()) visit(*alternate->second);
}

void Router::visit(Exchange& exchange) {
  if (exchange.is_new_in(routing_)) pending_.push_back(&exchange);
}

}  // namespace haypile::engine
