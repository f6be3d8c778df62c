// The queues, exchanges and bindings of a simulation. Each name always stands for the same
// definition, so that no declaration is refused.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/table.hpp>

namespace haypile::simulation {

inline constexpr std::size_t client_count = 3;
inline constexpr std::uint64_t ttl_ms = 300;
inline constexpr std::size_t tries_max = 2;  // after the first one
inline constexpr int nowhere = -1;

// How well one can predict what is in a queue.
enum class Knowledge {
  exact,  // messages leave it only when a client settles or requests them
  fuzzy,  // it gives up messages by itself, or delivers without acknowledgements
};

struct QueueSpec {
  std::string name;
  Knowledge knowledge = Knowledge::exact;
  bool durable = true;
  bool may_be_consumed = true;
  int dead_to = nowhere;  // where its dead letters go
  amqp::Table arguments{};
};

enum QueueIndex : int { p0, p1, prio, dead, rej, t0, fdead, loose, ttl, limit, tries, full, c0 };
inline constexpr std::size_t queue_count = c0 + client_count;
// The queues from c0 on belong to one client each, which declares and deletes them.
constexpr int own_queue(std::size_t client) {
  return c0 + static_cast<int>(client);
}

const std::array<QueueSpec, queue_count>& queues();
inline const QueueSpec& queue(int index) {
  return queues()[static_cast<std::size_t>(index)];
}
inline bool is_exact(int index) {
  return queue(index).knowledge == Knowledge::exact;
}
// Returns `nowhere` if no queue has this name.
int find_queue(std::string_view name);

enum ExchangeIndex : int { default_exchange, fanout, direct, x0 };
inline constexpr std::size_t exchange_count = x0 + client_count;
constexpr int own_exchange(std::size_t client) {
  return x0 + static_cast<int>(client);
}
const std::array<std::string, exchange_count>& exchange_names();
inline const std::string& exchange_name(int index) {
  return exchange_names()[static_cast<std::size_t>(index)];
}
std::string_view exchange_type(int index);
int find_exchange(std::string_view name);

struct BindingSpec {
  int source;
  bool to_exchange;
  int destination;
  std::string key;
  std::size_t owner;  // the client that changes it; client_count: it never changes
  bool operator==(const BindingSpec&) const = default;
};
const std::vector<BindingSpec>& bindings();
int find_binding(std::string_view source, bool to_exchange, std::string_view destination,
                 std::string_view key);
// The routing key of the client's own bindings.
std::string own_key(std::size_t client);

}  // namespace haypile::simulation
