// A virtual host: its exchanges, queues and bindings, and what can be done with them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/definitions.hpp"
#include "engine/draft.hpp"
#include "engine/error.hpp"
#include "engine/exchange.hpp"
#include "engine/journal.hpp"
#include "engine/property_codec.hpp"
#include "engine/queue.hpp"
#include "engine/queue_context.hpp"
#include "engine/router.hpp"
#include "engine/settling_job.hpp"
#include "engine/subscriptions.hpp"

namespace haypile::engine {

// A purge that may take several turns.
struct Purge {
  std::size_t message_count = 0;  // that are gone
  bool is_done = false;
  // The engine's.
  std::size_t left = 0;
  bool has_begun = false;
};

// The time of the message is not set: it is the engine's.
struct PublishRequest {
  MessageView message;
  MessageTraits traits;
  std::string_view headers;  // the message's encoded header table; empty if it has none
  std::span<const std::string_view> more_keys{};  // besides the message's own routing key
  // What `message` shows, if it has been put together already: it is kept instead of a copy.
  Draft* draft = nullptr;
};

struct PublishResult {
  Error error;
  std::size_t queue_count = 0;  // 0: unroutable
  bool rejected = false;        // a queue was full and refuses to take more
};

// How many messages a channel may have unacked.
struct UnackedMax {
  // Whoever has so many gets no more before it has settled half of them. At least 1.
  std::size_t to_consumers = std::numeric_limits<std::size_t>::max();
  // Subscriptions::should_put_off_get()
  std::size_t to_gets = std::numeric_limits<std::size_t>::max();

  bool operator==(const UnackedMax&) const = default;
};

// Reads no clock, no random number and no file: everything comes in through its calls, so that the
// same calls give the same state. Belongs to one thread. What it tells the journal, a client may
// be told only when the journal is durable that far (Journal::end() after the call).
class Engine {
 public:
  // Journal and codec outlive the engine. `vhost` is for the texts of errors. `hash_seed` is a
  // random number that no client knows, where clients are not trusted.
  Engine(std::string vhost, Journal& journal, const PropertyCodec& property_codec,
         std::uint64_t hash_seed = 0);
  // All channels are gone before.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::string& vhost() const { return vhost_; }
  Journal& journal() { return context_.journal; }
  // What is done in this turn; whoever calls the engine begins turns and shares.
  WorkBudget& work() { return context_.work; }
  const WorkBudget& work() const { return context_.work; }
  // What its messages take in memory.
  std::size_t memory_bytes() const { return context_.memory.bytes; }
  // What its queues, exchanges, bindings, consumers and channels take besides.
  std::size_t definition_bytes() const { return context_.memory.definition_bytes; }
  // Of memory_bytes(), what is ready in queues and could be moved to disk: persistent, in durable
  // queues.
  std::size_t movable_bytes() const { return context_.movable_bytes; }

  // What counts as now until the next call; going back is passed over.
  void set_now(TimeMs now) { context_.now = std::max(context_.now, now); }
  TimeMs now() const { return context_.now; }
  // What has to be added to that for the time on the wall, which is what messages tell of.
  void set_wall_offset(std::int64_t offset_ms) { context_.wall_offset_ms = offset_ms; }
  // When advance() wants to be called next; no_deadline if nothing is waited for.
  TimeMs next_deadline() const {
    if (has_work_left()) return context_.now;
    return std::min(context_.timers.next_deadline(), next_move());
  }
  // Goes on with what is left to do, a share of a turn at a time: dead letters, messages and queues
  // that are due by now. next_deadline() may have come already.
  void advance(TimeMs now);

  // An exchange that is there already must be the same in all that matters.
  Error declare_exchange(const ExchangeDefinition& definition);
  Error check_exchange(std::string_view name) const;
  // Deleting what is not there is no error. `is_done`: whether it need not be called again, in
  // another turn: it may take long to see that what was bound to it has all been deleted.
  Error delete_exchange(std::string_view name, bool if_unused, bool& is_done);

  // `owner` other than 0: exclusive to that connection. `requester` is the connection that asks.
  // The id of the definition is ignored. `queue` is valid until it is deleted.
  Error declare_queue(const QueueDefinition& definition, OwnerId owner, OwnerId requester,
                      Queue*& queue);
  Error find_queue(std::string_view name, OwnerId requester, Queue*& queue);
  // `message_count`: how many were ready in it; 0 when there is no such queue.
  Error delete_queue(std::string_view name, OwnerId requester, bool if_unused, bool if_empty,
                     std::size_t& message_count);
  // A portion of it: is_done says whether it has to be called again, in another turn.
  Error purge_queue(std::string_view name, OwnerId requester, Purge& purge);

  Error bind(const BindingDefinition& binding, OwnerId requester);
  // Unbinding what is not bound is no error, nor is it when an end of the binding is missing.
  Error unbind(const BindingDefinition& binding, OwnerId requester);

  PublishResult publish(const PublishRequest& request);
  // Keeps a message, in no queue, to be published later.
  Draft make_draft(const PublishRequest& request) {
    Draft draft = begin_draft(request, request.message.body.size());
    draft.append(request.message.body);
    return draft;
  }
  // Keeps a message of which the body, of that size, is yet to come.
  Draft begin_draft(const PublishRequest& request, std::size_t body_size) {
    return {request.message, body_size, request.traits, context_.memory};
  }
  // Only spends the work that it would be to bring the message to its queues.
  void try_route(const PublishRequest& request);
  // What publish() would refuse of a message to that exchange.
  Error check_publish(std::string_view exchange) const;
  // Whether a channel takes replies under that name (Subscriptions::consume_replies()).
  bool has_reply_channel(std::string_view name) const { return reply_receivers_.contains(name); }

  // The connection's exclusive queues are gone. Its channels are closed already.
  void connection_closed(OwnerId owner);
  // Lets old messages leave the log, and memory, when the journal is running out of room, what is
  // ready in queues takes more memory than movable_max_bytes, or what is held besides takes more
  // than held_max_bytes, and more than before: a share of a turn at a time, until is_moving() is
  // false. Not while a group is open. True if there was anything to do.
  bool move_old_messages();
  bool is_moving() const { return context_.moves.boundary != 0; }
  void set_movable_max_bytes(std::size_t bytes) { movable_max_bytes_ = bytes; }
  void set_held_max_bytes(std::size_t bytes) { held_max_bytes_ = bytes; }
  // Where memory is low, a channel without a prefetch must not take all there is.
  void set_unacked_max(const UnackedMax& count);

  // The dead letters that went no further since it was called last.
  StoppedLetters take_stopped_letters() { return letter_limits_.take_stopped(); }

  // At a clean stop, after all channels are closed.
  void mark_delivered();

  std::size_t queue_count() const { return queues_.size(); }

  // Throws std::logic_error if its books do not agree. Goes through all that there is.
  void check_invariants();

 private:
  friend class Subscriptions;
  friend class Group;
  friend class Restore;

  // Calls back from channels.
  void add_reply_channel(const std::string& name, Subscriptions& channel) {
    reply_receivers_.emplace(name, &channel);
  }
  void remove_reply_channel(const std::string& name) { reply_receivers_.erase(name); }
  // Passes on what queues have given up; before each return to the outside.
  void pass_on_fresh_letters() {
    if (context_.letters.has_fresh()) pass_on_own_letters();
  }
  void settle_later(SettlingJob settling) { settling_jobs_.push_back(std::move(settling)); }
  // The channel closes: what it left to be settled goes on without it.
  void detach_settling_jobs(Subscriptions& channel);
  // They wait while the journal does not keep up: what was given up is safe where it is.
  bool has_letters_to_pass_on() const {
    return !context_.letters.empty() && context_.journal.keeps_up();
  }
  bool has_work_left() const {
    return has_letters_to_pass_on() || !settling_jobs_.empty() || !discarding_.empty() ||
           !gone_owners_.empty() || !unbinding_.empty() || !limits_to_lift_.empty();
  }
  void continue_settling(const Portion& portion);
  void continue_without_channel(SettlingJob& settling, const Portion& portion);
  void continue_discarding(const Portion& portion);
  void continue_removing(const Portion& portion);
  void continue_lifting_limits(const Portion& portion);
  // Down to that many of unbinding_: the last ones are first.
  void continue_unbinding(const Portion& portion, std::size_t count_left = 0);
  void drop(Binding& binding);
  bool is_in_use(Exchange& exchange, const Portion& portion);
  // Whether anything stands under that name. What belongs to a connection that has gone does not,
  // and is removed.
  bool has_queue(std::string_view name);
  void consumer_left(Queue& queue);  // may delete it
  // Frees a deleted one when nothing of it is left, nor in anybody's hands.
  void free_if_finished(Queue& queue) {
    if (queue.is_finished()) deleted_.erase(&queue);
  }

  void create_predeclared();
  Exchange* find_exchange(std::string_view name) const;
  Error missing_exchange(std::string_view name) const;
  Error missing_queue(std::string_view name) const;
  Error inequivalent(const std::string& kind, const std::string& name, std::string_view argument,
                     const std::string& received, const std::string& current) const;
  Error check_same(const Queue& queue, const QueueDefinition& wanted, OwnerId owner) const;
  Error create_queue(QueueDefinition definition, OwnerId owner, Queue*& queue);
  Error read_alternate(const ExchangeDefinition& definition, std::string& alternate) const;

  // publish.cpp
  bool route(const PublishRequest& request, Exchange* exchange);
  bool route_through(Exchange& exchange, const PublishRequest& request);
  void route_by_names(const PublishRequest& request);
  // Mostly it is the one that was asked for before.
  Queue* named_queue(std::string_view name) {
    return last_named_ && last_named_->name() == name ? last_named_ : look_up(name);
  }
  Queue* look_up(std::string_view name);
  Exchange* named_exchange(std::string_view name) {
    if (!last_exchange_ || last_exchange_->name() != name) last_exchange_ = find_exchange(name);
    return last_exchange_;
  }
  void deliver_reply(const PublishRequest& request, PublishResult& result);
  bool remove_refusing_targets(const PublishRequest& request);
  bool enqueue(const PublishRequest& request);
  void pass_on_own_letters();
  void pass_on_letters(std::uint64_t units);
  void handle_deadline(Queue& queue);
  void pass_on_fresh_letters(DeadLetter& letter);
  void republish(const DeadLetter& letter);
  void remove_targets(const std::vector<std::string>& names);
  TimeMs wall_time() const { return context_.now + static_cast<TimeMs>(context_.wall_offset_ms); }
  // When make_room() wants to go on.
  TimeMs next_move() const {
    if (!is_moving()) return no_deadline;
    return context_.now + (context_.journal.takes_more() ? 0 : 1);
  }
  std::size_t held_bytes() const;
  bool holds_more();
  void move_some();
  class UnackedInOrder;
  bool move_unacked(std::size_t& copies_left);
  // `headers` is what its arguments ask for, if the source is a headers exchange.
  Error resolve(const BindingDefinition& definition, OwnerId requester, Binding& binding,
                HeadersMatch& headers, Exchange*& source);
  // Two bindings are the same whatever the order of their arguments.
  BindingDefinition with_arguments_in_order(const BindingDefinition& given) const;
  void remove_queue(Queue& queue);
  void remove_exchange(Exchange& exchange);
  // A binding of its has gone, maybe the last one.
  void binding_left(Exchange& source);

  std::string vhost_;
  QueueContext context_;
  ExchangeContext exchange_context_;
  // Deleted, and has or had bindings.
  struct UnbindingJob {
    Queue* queue = nullptr;  // of deleted_
    std::unique_ptr<Exchange> exchange{};
  };

  StringMap<std::unique_ptr<Queue>> queues_;
  // Queues that are deleted, and of which something is left.
  std::unordered_map<const Queue*, std::unique_ptr<Queue>> deleted_;
  // These are gone before the queues that their bindings lead to.
  StringMap<std::unique_ptr<Exchange>> exchanges_;  // the default exchange is not among them
  Router router_;
  // By connection and name.
  std::unordered_map<OwnerId, std::map<std::string_view, Queue*>> exclusive_;
  std::vector<UnbindingJob> unbinding_;
  StringMap<Subscriptions*> reply_receivers_;
  std::unordered_set<Subscriptions*> subscriptions_;
  UnackedMax unacked_max_;
  // Those whose consumers get nothing because of that, and of these those that may have more again.
  std::unordered_set<Subscriptions*> limited_;
  std::unordered_set<Subscriptions*> limits_to_lift_;
  std::size_t movable_max_bytes_ = 8u << 20;
  std::size_t held_max_bytes_ = std::numeric_limits<std::size_t>::max();
  std::size_t least_held_bytes_ = 0;  // since the last move
  DeadLetterLimits letter_limits_;
  std::deque<SettlingJob> settling_jobs_;
  std::deque<Queue*> discarding_;    // of deleted_: queues with messages left
  std::deque<OwnerId> gone_owners_;  // of exclusive_
  unsigned group_depth_ = 0;
  Queue* last_named_ = nullptr;        // found by name last
  Exchange* last_exchange_ = nullptr;  // published to last
  std::vector<Queue*> targets_;        // of the message at hand
  std::vector<QueueId> durable_targets_;
  std::vector<std::string_view> keys_;
};

// As long as it lives, what is published and settled becomes durable together. May be nested: the
// outermost one counts. The engine outlives it, and no other call to the engine than those comes
// in between.
class Group {
 public:
  explicit Group(Engine& engine) : engine_(engine) {
    if (engine_.group_depth_++ == 0) engine_.journal().begin_group();
  }
  ~Group() {
    if (--engine_.group_depth_ == 0) engine_.journal().end_group();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

 private:
  Engine& engine_;
};

}  // namespace haypile::engine
