#include "engine/router.hpp"

#include <algorithm>
#include <utility>

namespace haypile::engine {

void Router::route(Exchange& start, std::span<const std::string_view> routing_keys,
                   std::string_view headers, std::vector<Queue*>& queues) {
  ++mark_;
  has_fields_ = false;
  start.routing_mark_ = mark_;
  const Address address{routing_keys, headers};
  Exchange* exchange = &start;
  for (;;) {
    if (!follow(*exchange, address, queues)) visit_alternate(*exchange);
    if (pending_.empty()) return;
    exchange = pending_.back();
    pending_.pop_back();
  }
}

// Returns whether any binding matches.
bool Router::follow(Exchange& exchange, const Address& address, std::vector<Queue*>& queues) {
  bool matched = false;
  switch (exchange.definition().type) {
    case ExchangeType::direct:
      for (const std::string_view key : address.routing_keys) {
        const auto found = exchange.by_key_.find(key);
        if (found == exchange.by_key_.end()) continue;
        take(found->second, queues);
        matched = true;
      }
      break;
    case ExchangeType::fanout:
      take(exchange.all_, queues);
      matched = !exchange.all_.empty();
      break;
    case ExchangeType::topic:
      for (const std::string_view key : address.routing_keys) {
        for (const auto* targets : exchange.by_pattern_.match(key)) {
          take(*targets, queues);
          matched = true;
        }
      }
      break;
    case ExchangeType::headers:
      matched = follow_headers(exchange, address, queues);
      break;
  }
  return matched;
}

bool Router::follow_headers(const Exchange& exchange, const Address& address,
                            std::vector<Queue*>& queues) {
  if (!std::exchange(has_fields_, true)) {
    fields_ = reader_.fields(address.headers);
    std::ranges::stable_sort(fields_, {}, &TableField::name);
  }
  bool matched = false;
  for (const Target& target : exchange.all_) {
    if (!target.binding->headers.matches(fields_)) continue;
    take(target, queues);
    matched = true;
  }
  return matched;
}

void Router::take(const std::vector<Target>& targets, std::vector<Queue*>& queues) {
  for (const Target& target : targets)
    take(target, queues);
}

void Router::take(const Target& target, std::vector<Queue*>& queues) {
  if (!target.queue) {
    visit(*target.binding->exchange);
  } else {
    add(*target.queue, queues);
  }
}

void Router::visit_alternate(const Exchange& exchange) {
  if (exchange.alternate().empty()) return;
  const auto alternate = exchanges_.find(exchange.alternate());
  if (alternate != exchanges_.end()) visit(*alternate->second);
}

void Router::visit(Exchange& exchange) {
  if (exchange.routing_mark_ == mark_) return;
  exchange.routing_mark_ = mark_;
  pending_.push_back(&exchange);
}

}  // namespace haypile::engine
