// What a client has declared and bound, for the next connection.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/methods/exchange.hpp>
#include <haypile/amqp/methods/queue.hpp>

namespace haypile {

// Remembers what the broker has agreed to, and says it again after a reconnect: each thing once,
// however often it was declared. It owns its names and arguments. The inputs are the methods that
// were sent, when the broker has answered them; a passive declaration is not remembered.
//
// A queue whose name the broker made is declared without a name again, and gets another one. Its
// first name stays its known name: all functions take the known name or the present one, and the
// known one is what a user may keep.
//
// What deletes itself is forgotten as the broker does it, as far as this client can see: a queue
// with auto_delete in unused(), an exchange with auto_delete when the last binding from it has gone
// that was remembered here.
//
// Memory grows with different names and bindings, not with calls and not with reconnects. A client
// that declares ever new names has to delete or to forget() them; size() shows it.
class Topology {
 public:
  void declared(const amqp::exchange::Declare& exchange);
  // `name` is the one of declare-ok.
  void declared(const amqp::queue::Declare& queue, std::string_view name);
  // The method's queue must not be empty: the caller knows which queue its channel declared last.
  void bound(const amqp::queue::Bind& binding);
  void bound(const amqp::exchange::Bind& binding);
  // A binding is the same one if its arguments are, byte for byte.
  void unbound(const amqp::queue::Unbind& binding);
  void unbound(const amqp::exchange::Unbind& binding);
  // What is deleted loses its bindings.
  void deleted(const amqp::queue::Delete& queue) { forget_queue(queue.queue); }
  void deleted(const amqp::exchange::Delete& exchange) { forget_exchange(exchange.exchange); }
  // Forgets the queue and the exchange with this name, with their bindings.
  void forget(std::string_view name);
  // The last consumer that this client had there was cancelled.
  void unused(std::string_view queue);

  // Calls `visit(method)` for exchanges, then for bindings between exchanges, and then
  // `visit(queue_declare, known_name)` for queues, always in the same order. Views are valid during
  // the call, and `visit` must not change this object. A caller whose channel was closed by the
  // n-th method can leave that one out the next time.
  template <class Visitor>
  void replay_declarations(Visitor&& visit) const;
  // Calls `visit(queue_bind)` for bindings of queues, with their present names. renamed() must have
  // been called before for each queue without a name of its own.
  template <class Visitor>
  void replay_bindings(Visitor&& visit) const;
  // The broker has made `name` for the queue with this known name, in answer to a replay.
  void renamed(std::string_view known_name, std::string_view name);

  // What the broker calls the queue now, for consumers; `name` itself if that is not known here.
  // The view is valid until this object is changed, or as long as `name`.
  std::string_view present_name(std::string_view name) const;
  // How many exchanges, queues and bindings are remembered.
  std::size_t size() const;

 private:
  struct Exchange {
    std::string type;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    std::string arguments;
  };
  struct Queue {
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    bool name_is_made = false;
    std::string present_name;
    std::string arguments;
  };
  // The order finds the bindings of a destination. A queue has its known name here.
  struct Binding {
    std::string destination;
    std::string source;
    std::string routing_key;
    std::string arguments;
    auto operator<=>(const Binding&) const = default;
  };
  using Bindings = std::set<Binding>;

  std::string known_name(std::string_view name) const;
  Binding binding_of(std::string_view queue, std::string_view source, std::string_view routing_key,
                     amqp::TableView arguments) const;
  void forget_queue(std::string_view name);
  void forget_exchange(std::string_view name);
  // Returns the sources of the bindings that were there.
  static std::vector<std::string> drop_bindings_to(std::string_view destination,
                                                   Bindings& bindings);
  bool has_deleted_itself(std::string_view exchange) const;

  std::map<std::string, Exchange, std::less<>> exchanges_;
  std::map<std::string, Queue, std::less<>> queues_;             // by known name
  std::map<std::string, std::string, std::less<>> known_names_;  // by present one, if it differs
  Bindings exchange_bindings_;
  Bindings queue_bindings_;
};

template <class Visitor>
void Topology::replay_declarations(Visitor&& visit) const {
  for (const auto& [name, exchange] : exchanges_) {
    visit(amqp::exchange::Declare{.exchange = name,
                                  .type = exchange.type,
                                  .durable = exchange.durable,
                                  .auto_delete = exchange.auto_delete,
                                  .internal = exchange.internal,
                                  .arguments = amqp::TableView::unchecked(exchange.arguments)});
  }
  for (const Binding& binding : exchange_bindings_) {
    visit(amqp::exchange::Bind{.destination = binding.destination,
                               .source = binding.source,
                               .routing_key = binding.routing_key,
                               .arguments = amqp::TableView::unchecked(binding.arguments)});
  }
  for (const auto& [name, queue] : queues_) {
    const std::string_view wanted = queue.name_is_made ? std::string_view() : name;
    visit(amqp::queue::Declare{.queue = wanted,
                               .durable = queue.durable,
                               .exclusive = queue.exclusive,
                               .auto_delete = queue.auto_delete,
                               .arguments = amqp::TableView::unchecked(queue.arguments)},
          std::string_view(name));
  }
}

template <class Visitor>
void Topology::replay_bindings(Visitor&& visit) const {
  for (const Binding& binding : queue_bindings_) {
    visit(amqp::queue::Bind{.queue = present_name(binding.destination),
                            .exchange = binding.source,
                            .routing_key = binding.routing_key,
                            .arguments = amqp::TableView::unchecked(binding.arguments)});
  }
}

}  // namespace haypile
