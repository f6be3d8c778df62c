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

class Router {
 public:
  // A message that has many routing keys goes no further by those that are left when so many steps
  // have been taken: some ten milliseconds. By one key a message goes everywhere: that far the
  // weight of exchanges (Exchange::weight_max) and what bindings take in memory set the bounds.
  static constexpr std::uint64_t steps_max = 300'000;
  // A step is a key or word looked up, a binding or node looked at. So many are a unit of work.
  static constexpr std::uint64_t steps_per_unit = 30;

  // All outlive the router. `exchanges`: where alternate exchanges are looked for, by name.
  Router(const TableReader& reader, ExchangeContext& context,
         const StringMap<std::unique_ptr<Exchange>>& exchanges)
      : reader_(reader), conditions_(context.conditions), exchanges_(exchanges) {}

  // Appends each queue once, whatever the number of ways to it. The message goes by all of its
  // routing keys at every exchange it comes to; each exchange is passed once, though bound in a
  // circle, and another way to it costs a look at its mark. Where no binding matches, to a queue or
  // an exchange, the alternate exchange takes over, if there is one of that name now. `headers` is
  // the message's encoded table, read only for headers exchanges. False if there were too many
  // keys for what they lead to: then queues are missing.
  bool route(Exchange& start, std::span<const std::string_view> routing_keys,
             std::string_view headers, std::vector<Queue*>& queues);
  // How many steps route() took.
  std::uint64_t steps() const { return steps_; }

  // Without an exchange: after begin() each queue is added once.
  void begin() { ++mark_; }
  void add(Queue& queue, std::vector<Queue*>& queues) {
    if (queue.routing_mark_ == mark_) return;
    queue.routing_mark_ = mark_;
    queues.push_back(&queue);
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
  std::uint64_t mark_ = 0;
  std::uint64_t steps_ = 0;
  bool is_complete_ = true;
  bool has_fields_ = false;  // of the message at hand, once a headers exchange has asked for them
  std::vector<Exchange*> pending_;
};

}  // namespace haypile::engine
