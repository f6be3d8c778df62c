// The exchanges, queues and bindings of a virtual host: how they come, are found, and go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/definitions.hpp"
#include "engine/error.hpp"
#include "engine/exchange.hpp"
#include "engine/queue.hpp"
#include "engine/queue_context.hpp"
#include "engine/removals.hpp"

namespace haypile::engine {

// A purge that may take several turns.
struct Purge {
  std::size_t message_count = 0;  // messages purged so far
  bool is_done = false;
  // Only for the topology.
  std::size_t left = 0;
  bool has_begun = false;
};

// Creates, finds and deletes exchanges, queues and bindings. A second declaration must be the same
// in everything that matters. After a deletion nothing leads to the deleted thing any more and its
// name can be used again; what is left of it is removed in turns (Removals). Tells the journal of
// everything that is durable. Belongs to the engine's thread.
class Topology final : private Removals::Owner {
 public:
  // `context` must outlive the topology. `vhost` is for the texts of errors.
  Topology(std::string vhost, QueueContext& context, std::uint64_t hash_seed);
  // All consumers must be gone before.
  ~Topology();
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  const std::string& vhost() const { return vhost_; }
  QueueContext& context() { return context_; }
  ExchangeContext& exchange_context() { return exchange_context_; }
  const StringMap<std::unique_ptr<Exchange>>& exchanges() const { return exchanges_; }

  // See Engine for these functions.
  Error declare_exchange(const ExchangeDefinition& definition);
  Error check_exchange(std::string_view name) const;
  Error delete_exchange(std::string_view name, bool if_unused, bool& is_done);
  Error declare_queue(const QueueDefinition& definition, OwnerId owner, OwnerId requester,
                      Queue*& queue);
  Error find_queue(std::string_view name, OwnerId requester, Queue*& queue);
  Error delete_queue(std::string_view name, OwnerId requester, bool if_unused, bool if_empty,
                     std::size_t& message_count);
  Error purge_queue(std::string_view name, OwnerId requester, Purge& purge);
  Error bind(const BindingDefinition& binding, OwnerId requester);
  Error unbind(const BindingDefinition& binding, OwnerId requester);
  void connection_closed(OwnerId owner) { removals_.add_owner(owner, owned_queue(owner)); }

  // Both remember what they found last, since the next message is mostly for the same one. They
  // return null if there is none of that name.
  Queue* queue_named(std::string_view name) {
    return last_queue_ && last_queue_->name() == name ? last_queue_ : look_up(name);
  }
  Exchange* exchange_named(std::string_view name) {
    if (!last_exchange_ || last_exchange_->name() != name) last_exchange_ = find_exchange(name);
    return last_exchange_;
  }
  Exchange* find_exchange(std::string_view name) const;

  // A consumer of the queue has ended, perhaps the last one of an auto-delete queue.
  void consumer_left(Queue& queue);
  // Deletes the queue.
  void remove_queue(Queue& queue);
  void free_if_finished(Queue& queue) { removals_.free_if_finished(queue); }
  Removals& removals() { return removals_; }
  const Removals& removals() const { return removals_; }

  std::size_t queue_count() const { return queues_.size(); }
  // Calls `visit(queue)` for all queues that are not deleted.
  template <class Visit>
  void each_queue(Visit visit) const {
    for (const auto& [name, queue] : queues_)
      visit(*queue);
  }

  // Adds what recovery found, without telling the journal.
  void restore_exchange(const ExchangeDefinition& definition);
  Queue& restore_queue(const QueueDefinition& definition, TimeMs unused_since);
  void restore_binding(const BindingDefinition& definition);

  // Throws std::logic_error if a name leads to something else.
  void check_invariants() const;

 private:
  void binding_left(Exchange& source) override;
  Queue* owned_queue(OwnerId owner) override;
  void remove_owned(Queue& queue) override { remove_queue(queue); }

  void create_predeclared();
  Queue* look_up(std::string_view name);
  // Whether there is a queue of that name. A queue of a connection that has gone does not count,
  // and is deleted.
  bool has_queue(std::string_view name);
  Error missing_exchange(std::string_view name) const;
  Error missing_queue(std::string_view name) const;
  Error read_alternate(const ExchangeDefinition& definition, std::string& alternate) const;
  Error create_queue(QueueDefinition definition, OwnerId owner, Queue*& queue);
  void remove_exchange(Exchange& exchange);
  // Fills in `binding`. If the source is a headers exchange, also fills `headers` with what the
  // binding's arguments ask for.
  Error resolve(const BindingDefinition& definition, OwnerId requester, Binding& binding,
                HeadersMatch& headers, Exchange*& source);
  // Two bindings are equal whatever the order of their arguments.
  BindingDefinition with_arguments_in_order(const BindingDefinition& given) const;

  const std::string vhost_;
  QueueContext& context_;
  ExchangeContext exchange_context_;
  StringMap<std::unique_ptr<Queue>> queues_;
  // Owns the deleted queues. These must be destroyed after all exchanges, since bindings lead to
  // queues.
  Removals removals_;
  StringMap<std::unique_ptr<Exchange>> exchanges_;  // without the default exchange
  // The exclusive queues, by connection and name.
  std::unordered_map<OwnerId, std::map<std::string_view, Queue*>> exclusive_;
  Queue* last_queue_ = nullptr;
  Exchange* last_exchange_ = nullptr;
};

}  // namespace haypile::engine
