// Finds the queues that a message goes to.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/exchange.hpp"

namespace haypile::engine {

class Router {
 public:
  // Both outlive the router. `exchanges`: where alternate exchanges are looked for, by name.
  Router(const TableReader& reader, const StringMap<std::unique_ptr<Exchange>>& exchanges)
      : reader_(reader), exchanges_(exchanges) {}

  // Appends each queue once, whatever the number of ways to it. The message goes by all of its
  // routing keys at every exchange it comes to; exchanges bound in a circle are passed once. Where
  // no binding matches, to a queue or an exchange, the alternate exchange takes over, if there is
  // one of that name now. `headers` is the message's encoded table, read only for headers
  // exchanges.
  void route(Exchange& start, std::span<const std::string_view> routing_keys,
             std::string_view headers, std::vector<Queue*>& queues);

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
  bool follow_headers(const Exchange& exchange, const Address& address,
                      std::vector<Queue*>& queues);
  void take(const std::vector<Target>& targets, std::vector<Queue*>& queues);
  void take(const Target& target, std::vector<Queue*>& queues);
  void visit(Exchange& exchange);
  void visit_alternate(const Exchange& exchange);

  const TableReader& reader_;
  const StringMap<std::unique_ptr<Exchange>>& exchanges_;
  std::uint64_t mark_ = 0;
  std::vector<Exchange*> pending_;
  // Of the message at hand, once a headers exchange has asked for them.
  std::vector<TableField> fields_;
  bool has_fields_ = false;
};

}  // namespace haypile::engine
