// Finds the queues that a message goes to.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/exchange.hpp"

namespace haypile::engine {

class Router {
 public:
  // Names are matched without look-ups of their own; the reader outlives the router.
  explicit Router(const TableReader& reader) : reader_(reader) {}

  // Appends each queue once, whatever the number of ways to it; exchanges bound in a circle are
  // passed once. `headers` is the message's encoded table, read only for headers exchanges.
  void route(Exchange& start, std::string_view routing_key, std::string_view headers,
             std::vector<Queue*>& queues);

 private:
  void follow(const Exchange& exchange, std::string_view routing_key, std::string_view headers,
              std::vector<Queue*>& queues);
  void take(const std::vector<std::unique_ptr<Binding>>& bindings, std::vector<Queue*>& queues);
  void take(const Binding& binding, std::vector<Queue*>& queues);

  const TableReader& reader_;
  std::uint64_t mark_ = 0;
  std::vector<Exchange*> pending_;
};

}  // namespace haypile::engine
