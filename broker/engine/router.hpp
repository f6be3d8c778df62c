// Finds the queues that a message goes to.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/exchange.hpp"
#include "engine/queue.hpp"
#include "engine/table_reader.hpp"

namespace haypile::engine {

// Routes a message through exchanges. Belongs to the engine's thread.
class Router {
 public:
  // When this many steps were taken, which is about ten milliseconds, a message with many routing
  // keys is not routed by its remaining keys. By its first key it always goes everywhere; that is
  // limited by the weight of exchanges (Exchange::weight_max) and by the memory that bindings take.
  static constexpr std::uint64_t steps_max = 300'000;
  // A step is a key or word that is looked up, or a binding or node that is examined. This many
  // steps count as a unit of work.
  static constexpr std::uint64_t steps_per_unit = 30;

  // All parameters must outlive the router. `exchanges` has the alternate exchanges, by name.
  Router(const TableReader& reader, ExchangeContext& context,
         const StringMap<std::unique_ptr<Exchange>>& exchanges)
      : reader_(reader), conditions_(context.conditions), exchanges_(exchanges) {}

  // Appends each queue once, however many ways lead to it. At every exchange the message is routed
  // by all of its keys. Each exchange is visited once, even if exchanges are bound in a circle. If
  // no binding of an exchange matches, its alternate exchange is visited, if one of that name
  // exists now. `headers` is the message's encoded table, which is read only for headers exchanges.
  // Returns false if the message had too many keys: then queues are missing.
  bool route(Exchange& start, std::span<const std::string_view> routing_keys,
             std::string_view headers, std::vector<Queue*>& queues);
  // How many steps the last route() took.
  std::uint64_t steps() const { return steps_; }

  // To collect queues without an exchange, call begin(), then add(), which adds each queue once.
  void begin() { ++routing_; }
  void add(Queue& queue, std::vector<Queue*>& queues) {
    if (queue.is_new_in(routing_)) queues.push_back(&queue);
  }

 private:
  struct Address {
    std::span<const std::string_view> routing_keys;
    std::string_view headers;
  };

  bool follow(Exchange& exchange, const Address& address, std::vector<Queue*>& queues);
  bool follow_keys(Exchange& exchange, const Address& address, std::vector<Queue*>& queues);
  bool follow_patterns(TopicTrie& patterns, const Address& address, std::vector<Queue*>& queues);
  bool follow_headers(HeadersIndex& index, const Address& address, std::vector<Queue*>& queues);
  bool is_enough();
  bool take(const Targets& targets, std::vector<Queue*>& queues);
  void visit(Exchange& exchange);
  void visit_alternate(const Exchange& exchange);

  const TableReader& reader_;
  HeaderConditions& conditions_;
  const StringMap<std::unique_ptr<Exchange>>& exchanges_;
  std::uint64_t routing_ = 0;
  std::uint64_t steps_ = 0;
  bool is_complete_ = true;
  bool has_fields_ = false;  // the message's headers have been looked up
  std::vector<Exchange*> pending_;
};

}  // namespace haypile::engine
