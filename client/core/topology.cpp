#include "topology.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace haypile {

void Topology::declared(const amqp::exchange::Declare& exchange) {
  if (exchange.passive) return;
  exchanges_[std::string(exchange.exchange)] = {std::string(exchange.type), exchange.durable,
                                                exchange.auto_delete, exchange.internal,
                                                std::string(exchange.arguments.bytes())};
}

void Topology::declared(const amqp::queue::Declare& queue, std::string_view name) {
  if (queue.passive) return;
  Queue& known = queues_[known_name(name)];
  known.durable = queue.durable;
  known.exclusive = queue.exclusive;
  known.auto_delete = queue.auto_delete;
  known.arguments = queue.arguments.bytes();
  // Whoever declares the queue with the made name afterwards does not make it a name of his own.
  known.name_is_made = known.name_is_made || queue.queue.empty();
  known.present_name = name;
}

void Topology::bound(const amqp::queue::Bind& binding) {
  assert(!binding.queue.empty());
  queue_bindings_.insert(
      binding_of(binding.queue, binding.exchange, binding.routing_key, binding.arguments));
}

void Topology::bound(const amqp::exchange::Bind& binding) {
  exchange_bindings_.insert({std::string(binding.destination), std::string(binding.source),
                             std::string(binding.routing_key),
                             std::string(binding.arguments.bytes())});
}

void Topology::unbound(const amqp::queue::Unbind& binding) {
  const bool was_there =
      queue_bindings_.erase(
          binding_of(binding.queue, binding.exchange, binding.routing_key, binding.arguments)) != 0;
  if (was_there && has_deleted_itself(binding.exchange)) forget_exchange(binding.exchange);
}

void Topology::unbound(const amqp::exchange::Unbind& binding) {
  const bool was_there =
      exchange_bindings_.erase({std::string(binding.destination), std::string(binding.source),
                                std::string(binding.routing_key),
                                std::string(binding.arguments.bytes())}) != 0;
  if (was_there && has_deleted_itself(binding.source)) forget_exchange(binding.source);
}

void Topology::forget(std::string_view name) {
  const std::string kept(name);  // `name` may be a view of what goes
  forget_queue(kept);
  forget_exchange(kept);
}

void Topology::unused(std::string_view queue) {
  const auto found = queues_.find(known_name(queue));
  if (found != queues_.end() && found->second.auto_delete) forget_queue(queue);
}

void Topology::renamed(std::string_view known_name, std::string_view name) {
  const auto found = queues_.find(known_name);
  if (found == queues_.end()) return;  // it was deleted meanwhile
  known_names_.erase(found->second.present_name);
  found->second.present_name = name;
  if (name != known_name) known_names_[std::string(name)] = known_name;
}

std::string_view Topology::present_name(std::string_view name) const {
  const auto found = queues_.find(name);
  return found == queues_.end() ? name : found->second.present_name;
}

std::size_t Topology::size() const {
  return exchanges_.size() + queues_.size() + exchange_bindings_.size() + queue_bindings_.size();
}

std::string Topology::known_name(std::string_view name) const {
  const auto found = known_names_.find(name);
  return found == known_names_.end() ? std::string(name) : found->second;
}

Topology::Binding Topology::binding_of(std::string_view queue, std::string_view source,
                                       std::string_view routing_key,
                                       amqp::TableView arguments) const {
  return {known_name(queue), std::string(source), std::string(routing_key),
          std::string(arguments.bytes())};
}

void Topology::forget_queue(std::string_view name) {
  const std::string known = known_name(name);
  const auto found = queues_.find(known);
  if (found != queues_.end()) {
    known_names_.erase(found->second.present_name);
    queues_.erase(found);
  }
  for (const std::string& source : drop_bindings_to(known, queue_bindings_)) {
    if (has_deleted_itself(source)) forget_exchange(source);
  }
}

// An exchange that goes may be the last destination of another one that deletes itself, and so on.
void Topology::forget_exchange(std::string_view name) {
  std::vector<std::string> going{std::string(name)};
  while (!going.empty()) {
    const std::string exchange = std::move(going.back());
    going.pop_back();
    exchanges_.erase(exchange);
    const auto is_from_it = [&](const Binding& binding) { return binding.source == exchange; };
    std::erase_if(queue_bindings_, is_from_it);
    std::erase_if(exchange_bindings_, is_from_it);
    for (std::string& source : drop_bindings_to(exchange, exchange_bindings_)) {
      if (has_deleted_itself(source)) going.push_back(std::move(source));
    }
  }
}

std::vector<std::string> Topology::drop_bindings_to(std::string_view destination,
                                                    Bindings& bindings) {
  std::vector<std::string> sources;
  auto binding = bindings.lower_bound({std::string(destination), {}, {}, {}});
  while (binding != bindings.end() && binding->destination == destination) {
    sources.push_back(binding->source);
    binding = bindings.erase(binding);
  }
  return sources;
}

bool Topology::has_deleted_itself(std::string_view exchange) const {
  const auto found = exchanges_.find(exchange);
  if (found == exchanges_.end() || !found->second.auto_delete) return false;
  const auto is_from_it = [&](const Binding& binding) { return binding.source == exchange; };
  return std::none_of(queue_bindings_.begin(), queue_bindings_.end(), is_from_it) &&
         std::none_of(exchange_bindings_.begin(), exchange_bindings_.end(), is_from_it);
}

}  // namespace haypile
