#include "engine/router.hpp"

#include "engine/topic_match.hpp"

namespace haypile::engine {

void Router::route(Exchange& start, std::string_view routing_key, std::string_view headers,
                   std::vector<Queue*>& queues) {
  ++mark_;
  start.routing_mark_ = mark_;
  pending_.assign(1, &start);
  while (!pending_.empty()) {
    const Exchange& exchange = *pending_.back();
    pending_.pop_back();
    follow(exchange, routing_key, headers, queues);
  }
}

void Router::follow(const Exchange& exchange, std::string_view routing_key,
                    std::string_view headers, std::vector<Queue*>& queues) {
  switch (exchange.definition().type) {
    case ExchangeType::direct: {
      const auto found = exchange.by_key_.find(routing_key);
      if (found != exchange.by_key_.end()) take(found->second, queues);
      break;
    }
    case ExchangeType::fanout:
      for (const auto& [key, bindings] : exchange.by_key_)
        take(bindings, queues);
      break;
    case ExchangeType::topic:
      for (const auto& [pattern, bindings] : exchange.by_key_) {
        if (topic_matches(pattern, routing_key)) take(bindings, queues);
      }
      break;
    case ExchangeType::headers: {
      const std::vector<TableField> fields = reader_.fields(headers);
      for (const auto& [key, bindings] : exchange.by_key_) {
        for (const auto& binding : bindings) {
          if (binding->headers.matches(fields)) take(*binding, queues);
        }
      }
      break;
    }
  }
}

void Router::take(const std::vector<std::unique_ptr<Binding>>& bindings,
                  std::vector<Queue*>& queues) {
  for (const auto& binding : bindings)
    take(*binding, queues);
}

void Router::take(const Binding& binding, std::vector<Queue*>& queues) {
  std::uint64_t& mark =
      binding.queue ? binding.queue->routing_mark_ : binding.exchange->routing_mark_;
  if (mark == mark_) return;
  mark = mark_;
  if (binding.queue) {
    queues.push_back(binding.queue);
  } else {
    pending_.push_back(binding.exchange);
  }
}

}  // namespace haypile::engine
