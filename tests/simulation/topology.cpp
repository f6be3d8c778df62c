#include "simulation/topology.hpp"

#include <algorithm>

namespace haypile::simulation {

namespace {

amqp::Table dead_letters_to(const char* queue) {
  return {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", queue}};
}

std::array<QueueSpec, queue_count> make_queues() {
  std::array<QueueSpec, queue_count> all;
  const auto at = [&](int index) -> QueueSpec& { return all[static_cast<std::size_t>(index)]; };
  at(p0) = {.name = "p0"};
  at(p1) = {.name = "p1"};
  at(prio) = {.name = "prio", .arguments = {{"x-max-priority", 3}}};
  at(dead) = {.name = "dead"};
  at(rej) = {.name = "rej", .dead_to = dead, .arguments = dead_letters_to("dead")};
  at(t0) = {.name = "t0", .durable = false};
  at(fdead) = {.name = "fdead", .knowledge = Knowledge::fuzzy};
  at(loose) = {.name = "loose", .knowledge = Knowledge::fuzzy};
  const auto fuzzy = [&](int index, const char* name, const char* argument, int value) {
    at(index) = {.name = name,
                 .knowledge = Knowledge::fuzzy,
                 .dead_to = fdead,
                 .arguments = dead_letters_to("fdead")};
    at(index).arguments.set(argument, value);
  };
  fuzzy(ttl, "ttl", "x-message-ttl", static_cast<int>(ttl_ms));
  fuzzy(limit, "limit", "x-max-length", 3);
  fuzzy(tries, "tries", "x-delivery-limit", static_cast<int>(tries_max));
  at(full) = {.name = "full",
              .knowledge = Knowledge::fuzzy,
              .arguments = {{"x-max-length", 2}, {"x-overflow", "reject-publish"}}};
  for (std::size_t client = 0; client < client_count; ++client)
    at(own_queue(client)) = {.name = "c" + std::to_string(client), .may_be_consumed = false};
  return all;
}

std::vector<BindingSpec> make_bindings() {
  std::vector<BindingSpec> all;
  for (const int index : {int(p0), int(p1), int(rej), int(t0), int(ttl)})
    all.push_back({fanout, false, index, "", client_count});
  for (std::size_t client = 0; client < client_count; ++client) {
    const int mine = own_queue(client);
    const int exchange = own_exchange(client);
    const std::string key = own_key(client);
    all.push_back({fanout, false, mine, "", client});
    all.push_back({direct, false, p0, key, client});
    all.push_back({direct, false, prio, key, client});
    all.push_back({direct, false, mine, key, client});
    all.push_back({direct, true, exchange, key, client});
    all.push_back({exchange, false, mine, "", client});
    all.push_back({exchange, false, p1, "", client});
  }
  return all;
}

}  // namespace

const std::array<QueueSpec, queue_count>& queues() {
  static const std::array<QueueSpec, queue_count> all = make_queues();
  return all;
}

int find_queue(std::string_view name) {
  for (std::size_t i = 0; i < queue_count; ++i) {
    if (queues()[i].name == name) return static_cast<int>(i);
  }
  return nowhere;
}

const std::array<std::string, exchange_count>& exchange_names() {
  static const std::array<std::string, exchange_count> all{"", "f", "d", "x0", "x1", "x2"};
  return all;
}

std::string_view exchange_type(int index) {
  return index == direct ? "direct" : "fanout";
}

int find_exchange(std::string_view name) {
  const auto found = std::ranges::find(exchange_names(), name);
  return found == exchange_names().end() ? nowhere
                                         : static_cast<int>(found - exchange_names().begin());
}

const std::vector<BindingSpec>& bindings() {
  static const std::vector<BindingSpec> all = make_bindings();
  return all;
}

int find_binding(std::string_view source, bool to_exchange, std::string_view destination,
                 std::string_view key) {
  for (std::size_t i = 0; i < bindings().size(); ++i) {
    const BindingSpec& binding = bindings()[i];
    if (binding.to_exchange != to_exchange || binding.key != key) continue;
    if (exchange_name(binding.source) != source) continue;
    const std::string& name =
        to_exchange ? exchange_name(binding.destination) : queue(binding.destination).name;
    if (name == destination) return static_cast<int>(i);
  }
  return nowhere;
}

std::string own_key(std::size_t client) {
  return "k" + std::to_string(client);
}

}  // namespace haypile::simulation
