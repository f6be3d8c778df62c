// A virtual host: its exchanges, queues and bindings, and what can be done with them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/dead_lettering.hpp"
#include "engine/definitions.hpp"
#include "engine/draft.hpp"
#include "engine/error.hpp"
#include "engine/group.hpp"
#include "engine/journal.hpp"
#include "engine/mover.hpp"
#include "engine/property_codec.hpp"
#include "engine/publisher.hpp"
#include "engine/queue.hpp"
#include "engine/queue_context.hpp"
#include "engine/subscription_registry.hpp"
#include "engine/subscriptions.hpp"
#include "engine/topology.hpp"

namespace haypile::engine {

// Decides what happens to exchanges, queues, bindings and messages of one virtual host. It reads no
// clock, no random number and no file: everything comes in through its calls, so that the same
// calls give the same state. Belongs to one thread. Before a client is told about a change, the
// journal must be durable up to what Journal::end() is after the call.
//
// The parts: Topology (what is declared), Publisher (messages on their way to queues),
// DeadLettering, SubscriptionRegistry (what channels consume and have unacked) and Mover (what
// leaves memory). They share the QueueContext.
class Engine {
 public:
  // Journal and codec must outlive the engine. `vhost` is for the texts of errors. `hash_seed`
  // should be a random number that no client knows.
  Engine(std::string vhost, Journal& journal, const PropertyCodec& property_codec,
         std::uint64_t hash_seed = 0);
  // All channels must be gone before.
  ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::string& vhost() const { return topology_.vhost(); }
  Journal& journal() { return context_.journal; }
  // The work of this turn; the user of the engine begins turns and shares.
  WorkBudget& work() { return context_.work; }
  const WorkBudget& work() const { return context_.work; }
  // Memory that messages take, in bytes.
  std::size_t memory_bytes() const { return context_.memory.bytes; }
  // Memory that queues, exchanges, bindings, consumers and channels take, in bytes.
  std::size_t definition_bytes() const { return context_.memory.definition_bytes; }
  // The part of memory_bytes() that is ready in queues and could be moved to disk: persistent
  // messages in durable queues.
  std::size_t movable_bytes() const { return context_.movable_bytes; }

  // Sets what counts as now until the next call. An earlier time changes nothing.
  void set_now(TimeMs now) { context_.now = std::max(context_.now, now); }
  TimeMs now() const { return context_.now; }
  // Sets how far the wall clock is ahead of now(). Dead letters record the wall clock.
  void set_wall_offset(std::int64_t offset_ms) { context_.wall_offset_ms = offset_ms; }
  // The time at which advance() should be called next; no_deadline if there is no such time.
  TimeMs next_deadline() const {
    if (has_work_left()) return context_.now;
    return std::min(context_.timers.next_deadline(), mover_.next_deadline());
  }
  // Continues unfinished work, a share of a turn at a time: dead letters, settling, removals, and
  // what has expired by now.
  void advance(TimeMs now);

  // If the exchange exists, it must be the same in everything that matters.
  Error declare_exchange(const ExchangeDefinition& definition) {
    return topology_.declare_exchange(definition);
  }
  Error check_exchange(std::string_view name) const { return topology_.check_exchange(name); }
  // Deleting an exchange that does not exist is no error. If `is_done` is false, call it again in
  // another turn: it may take long to see that everything bound to it has been deleted.
  Error delete_exchange(std::string_view name, bool if_unused, bool& is_done) {
    return topology_.delete_exchange(name, if_unused, is_done);
  }

  // If `owner` is not 0, the queue is exclusive to that connection. `requester` is the connection
  // that asks. The id in the definition is ignored. `queue` is valid until the queue is deleted.
  Error declare_queue(const QueueDefinition& definition, OwnerId owner, OwnerId requester,
                      Queue*& queue) {
    return topology_.declare_queue(definition, owner, requester, queue);
  }
  Error find_queue(std::string_view name, OwnerId requester, Queue*& queue) {
    return topology_.find_queue(name, requester, queue);
  }
  // `message_count` is the number of ready messages; 0 if there is no such queue.
  Error delete_queue(std::string_view name, OwnerId requester, bool if_unused, bool if_empty,
                     std::size_t& message_count) {
    return topology_.delete_queue(name, requester, if_unused, if_empty, message_count);
  }
  // Purges a portion. If Purge::is_done is false, call it again in another turn. Messages that come
  // in between stay.
  Error purge_queue(std::string_view name, OwnerId requester, Purge& purge) {
    return topology_.purge_queue(name, requester, purge);
  }

  Error bind(const BindingDefinition& binding, OwnerId requester) {
    return topology_.bind(binding, requester);
  }
  // It is no error if there is no such binding, or one of its ends does not exist.
  Error unbind(const BindingDefinition& binding, OwnerId requester) {
    return topology_.unbind(binding, requester);
  }

  PublishResult publish(const PublishRequest& request);
  // Keeps a message that is in no queue, to be published later.
  Draft make_draft(const PublishRequest& request) {
    Draft draft = begin_draft(request, request.message.body.size());
    draft.append(request.message.body);
    return draft;
  }
  // Keeps a message whose body, of that size, is yet to come.
  Draft begin_draft(const PublishRequest& request, std::size_t body_size) {
    return {request.message, body_size, request.traits, context_.memory};
  }
  // Publishes nothing, but spends the work of routing the message.
  void try_route(const PublishRequest& request);
  // The error that publish() would return for a message to that exchange.
  Error check_publish(std::string_view exchange) const;
  // Whether a channel takes replies with that routing key (Subscriptions::consume_replies()).
  bool has_reply_channel(std::string_view name) const {
    return registry_.reply_receiver(name) != nullptr;
  }
  // Everything that is published and settled while the group exists becomes durable together.
  Group begin_group() { return Group(context_); }

  // Deletes the connection's exclusive queues. Its channels must be closed already.
  void connection_closed(OwnerId owner) { topology_.connection_closed(owner); }

  // Lets old messages leave the log and memory when the journal is running out of room, when ready
  // messages take more memory than movable_max_bytes, or when others take more than held_max_bytes
  // and more than after the last move. One call does a share of a turn: call it until is_moving()
  // is false, but not while a group is open. Returns true if there was anything to do.
  bool move_old_messages() { return mover_.run(); }
  bool is_moving() const { return mover_.is_moving(); }
  void set_movable_max_bytes(std::size_t bytes) { mover_.set_movable_max_bytes(bytes); }
  void set_held_max_bytes(std::size_t bytes) { mover_.set_held_max_bytes(bytes); }
  // Limits how much a channel without a prefetch count can have unacked when memory is low.
  void set_unacked_max(const UnackedMax& count) { registry_.set_unacked_max(count); }

  // The dead letters that were dropped because of limits since the last call.
  StoppedLetters take_stopped_letters() { return dead_lettering_.take_stopped(); }

  // Notes in the journal which messages had been delivered. For a clean stop, after all channels
  // are closed.
  void mark_delivered();

  std::size_t queue_count() const { return topology_.queue_count(); }

  // Throws std::logic_error if an invariant does not hold. Examines everything.
  void check_invariants();

  // Only for Subscriptions and Restore, which are part of the engine.
  Topology& topology() { return topology_; }
  SubscriptionRegistry& registry() { return registry_; }

 private:
  bool has_work_left() const {
    return dead_lettering_.has_work_left() || registry_.has_work_left() ||
           topology_.removals().has_work_left();
  }
  void handle_deadline(Queue& queue);
  void deliver_reply(const PublishRequest& request, PublishResult& result);

  QueueContext context_;
  Topology topology_;
  Publisher publisher_;
  DeadLettering dead_lettering_;
  SubscriptionRegistry registry_;
  Mover mover_;
};

}  // namespace haypile::engine
