// One AMQP channel's share of the engine: its consumers, and the messages it was given and has not
// settled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/canary.hpp"
#include "engine/consumer.hpp"
#include "engine/error.hpp"
#include "engine/message.hpp"
#include "engine/settlement.hpp"
#include "engine/text_hash.hpp"
#include "engine/unacked.hpp"

namespace haypile::engine {

class DeadLettering;
class Engine;
class Portion;
class Affected;
struct QueueContext;
struct SettlingJob;
class SubscriptionRegistry;
class Topology;

// One message on its way to a client. Views are valid during the call only.
struct Delivery {
  std::string_view consumer_tag;
  std::uint64_t delivery_tag;
  bool redelivered;
  std::uint32_t delivery_count;  // how often it came back; 0 if its queue does not count
  const MessagePtr& message;
};

// Receives a channel's deliveries. Any call to the engine may call these functions, which must not
// call the engine.
class DeliverySink {
 public:
  virtual ~DeliverySink() = default;
  // Returns whether there is room for more. If not, the owner of the sink calls
  // Subscriptions::resume() when there is.
  virtual bool deliver(const Delivery& delivery) = 0;
  // The consumer has ended because its queue was deleted.
  virtual void consumer_cancelled(std::string_view consumer_tag) = 0;
  // The client should have got a message with that many bytes of properties, which is more than it
  // can be sent (Subscriptions::set_properties_max()). The message stays in its queue, for other
  // clients. Nothing is delivered to this channel any more, and it has to be closed.
  virtual void refused(std::size_t /*properties_size*/) {}
};

// The result of basic.get.
struct GetResult {
  bool found = false;
  // The size of the next message's properties if that is more than the client can be sent,
  // otherwise 0. The channel then has to be closed; the message stays in the queue, for other
  // clients.
  std::size_t refused_size = 0;
  bool redelivered = false;
  std::uint32_t delivery_count = 0;  // see Delivery
  std::uint64_t delivery_tag = 0;
  std::size_t ready_count = 0;  // without this message
  MessagePtr message;
};

// Holds the consumers of one channel and its unacked messages, and settles them. A consumer gets
// messages while its own prefetch count, the channel's, and the sink's room allow it. A consumer
// that only waits for the channel is parked until the channel has credit or room again. Belongs to
// the engine's thread.
class Subscriptions {
 public:
  // Engine and sink must outlive the object. `owner` is the connection, for exclusive queues.
  Subscriptions(Engine& engine, DeliverySink& sink, std::uint64_t owner);
  // Calls close().
  ~Subscriptions();
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  std::uint64_t owner() const { return owner_; }

  // Sets how many bytes of encoded properties the client can be sent with a message. Before this
  // call there is no limit.
  void set_properties_max(std::size_t bytes) { properties_max_ = bytes; }
  std::size_t properties_max() const { return properties_max_; }

  // Limits the unacked messages of each consumer that starts later. 0: no limit.
  void set_prefetch(std::uint32_t prefetch_count) { prefetch_count_ = prefetch_count; }
  // Limits the unacked messages of all consumers of the channel together, at once. 0: no limit.
  void set_channel_prefetch(std::uint32_t prefetch_count);

  // Adds a consumer. The tag must not be in use on this channel (has_consumer()). Deliveries begin
  // with start_consumer(), which has to be the next call to the engine; between the two calls the
  // client gets its consume-ok.
  Error consume(std::string_view queue, ConsumerOptions options);
  void start_consumer(std::string_view tag);
  bool has_consumer(std::string_view tag) const;
  // Direct reply-to: a message published to the default exchange with the routing key `name` is
  // delivered to this channel, to a consumer without acknowledgements, as long as that consumer
  // exists and its client reads. No other channel may have the name.
  Error consume_replies(ConsumerOptions options, std::string name);
  // The routing key of this channel's replies; empty if it takes none.
  const std::string& reply_name() const { return reply_name_; }
  // Ends a consumer. What it was given stays unacked. An unknown tag is no error.
  void cancel(std::string_view tag);

  Error get(std::string_view queue, bool no_ack, GetResult& out);

  // Settles the message with that tag, or with `multiple` all messages up to that tag; tag 0 with
  // `multiple` means all. Returns precondition_failed if the tag is unknown or was settled before.
  Error settle(std::uint64_t delivery_tag, bool multiple, Settlement how);
  // Returns all unacked messages to their places. If there are many this takes several turns, in
  // which their queues give out nothing.
  void requeue_all();

  // About how much memory settling would free, in bytes, up to `bytes_max`. Only some of the
  // messages are examined.
  std::size_t unsettled_bytes(std::size_t bytes_max) const;
  // The size of the bodies of all messages that were settled for good.
  std::size_t settled_bytes() const { return settled_bytes_; }

  // Takes messages out for a transaction, with the arguments and errors of settle(). Also fails if
  // the transaction would hold more than held_max messages. settle_held() settles them,
  // release_held() makes them unacked again.
  Error hold(std::uint64_t delivery_tag, bool multiple, Settlement how);
  // How many messages a transaction may hold. They are settled in one call.
  static constexpr std::size_t held_max = 100'000;
  void settle_held();
  void release_held();

  // Delivers nothing any more. For channels that are about to be closed together, so that messages
  // which one of them returns do not go to the next.
  void stop_deliveries() {
    stopped_ = true;
    sink_has_room_ = false;
  }
  // The sink has room again.
  void resume();
  // Whether the channel has so many messages unacked (Engine::set_unacked_max()) that the caller
  // should put off a call of get().
  bool should_put_off_get() const;
  // Throws std::logic_error if the counts do not agree.
  void check_invariants();
  // Ends the consumers and returns all unacked messages. May be called twice.
  void close();

  // What follows is for the other parts of the engine.

  // Direct reply-to: delivers the message. Returns false if the client does not read, or cannot be
  // sent it.
  bool deliver_reply(const MessagePtr& message);
  // The messages given to consumers, or by basic.get, that are neither settled nor held by a
  // transaction.
  Unacked& unacked() { return unacked_; }
  // Calls `visit(UnackedMessage&)` for all unacked messages and for those that a transaction holds.
  template <class Visit>
  void each_in_hand(Visit visit) {
    unacked_.each(visit);
    each_held(visit);
  }
  // Calls `visit(UnackedMessage&)` for the messages that a transaction holds.
  template <class Visit>
  void each_held(Visit visit) {
    for (HeldSettlement& held : held_) {
      for (TaggedMessage& message : held.messages)
        visit(message);
    }
  }
  // Settles a portion of the messages that an earlier call has left.
  void continue_settling(SettlingJob& job, const Portion& portion);
  // Whether its consumers get nothing because the channel has too many messages unacked
  // (UnackedMax).
  bool is_limited() const { return is_limited_; }
  // Ends that limit: half of the messages have been settled, or more are allowed. Call
  // resume_parked() afterwards.
  void lift_limit();
  // The consumer's queue has been deleted: the consumer ends, and its client is told.
  void queue_deleted(Consumer& consumer);
  // The channel has credit again: its parked consumers get messages, the one that was parked first
  // comes first.
  void resume_parked();
  // Whether the channel has credit, and its sink has room.
  bool has_room() const {
    return sink_has_room_ && !is_limited_ &&
           (prefetch_count_all_ == 0 || unacked_count_ < prefetch_count_all_);
  }
  // The consumer waits until the channel has credit. Does nothing if the channel has some.
  void park(Consumer& consumer);
  // Gives a message to the consumer, which must have credit.
  void deliver(Consumer& consumer, QueuedMessage&& entry);
  // The size of the message's properties as the client gets them: headers that the broker adds are
  // left out if they do not fit.
  std::size_t properties_size(const Message& message) {
    const std::size_t size = message.properties().size();
    return size <= properties_max_ ? size : bare_size(message);
  }
  // The channel should have got a message that its client cannot be sent.
  void refuse(std::size_t properties_size) {
    stop_deliveries();
    sink_.refused(properties_size);
  }

 private:
  struct HeldSettlement {
    std::vector<TaggedMessage> messages;
    Settlement how;
  };

  std::size_t bare_size(const Message& message);
  // Gives nothing to its consumers until lift_limit(). Does nothing if that is so already.
  void limit_unacked();
  void finish_until(std::uint64_t last, Settlement how);
  std::vector<Queue*> queues_paused_by(Settlement how) const;
  void finish(UnackedMessage& message, Settlement how);
  void dispatch_after_settling(Affected& touched, bool channel_was_full);
  void unpark(Consumer& consumer);
  // Call this when the consumer may have credit again.
  void credit_returned(Consumer& consumer);
  std::size_t free_credit() const;
  void remove_consumer(Consumer& consumer);
  void keep_cancelled(std::unique_ptr<Consumer> consumer);
  void remove_cancelled(const Consumer& consumer);

  // The consumers by their tags.
  using Consumers =
      std::unordered_map<std::string_view, std::unique_ptr<Consumer>, TextHash, std::equal_to<>>;

  SubscriptionRegistry& registry_;
  Topology& topology_;
  DeadLettering& dead_lettering_;
  QueueContext& context_;
  DeliverySink& sink_;
  std::uint64_t owner_;
  MemoryShare memory_;
  std::uint32_t prefetch_count_ = 0;
  std::uint32_t prefetch_count_all_ = 0;
  std::uint32_t unacked_count_ = 0;  // given to consumers; without basic.get
  std::size_t properties_max_ = std::numeric_limits<std::size_t>::max();
  bool sink_has_room_ = true;
  bool stopped_ = false;
  bool is_limited_ = false;
  std::list<Consumer*> parked_;  // wait for the channel, the longest first
  std::list<Consumer*> running_;
  std::vector<Queue*> resumed_queues_;  // for resume_parked(): queues of the resumed consumers
  std::size_t settled_bytes_ = 0;
  Unacked unacked_;
  Consumers consumers_;
  // Cancelled consumers that still have unacked messages.
  std::unordered_map<const Consumer*, std::unique_ptr<Consumer>> cancelled_;
  // How many messages basic.get has taken from each queue that are not settled.
  std::unordered_map<Queue*, std::size_t> got_;
  std::vector<HeldSettlement> held_;
  std::size_t held_count_ = 0;  // messages in held_
  std::string reply_name_;
  std::string reply_tag_;
};

inline bool Consumer::has_credit() const {
  if (HAYPILE_CANARY(prefetch_ignored)) return subscriptions_->has_room();
  return (prefetch_count_ == 0 || account_.unacked_count < prefetch_count_ || options_.no_ack) &&
         subscriptions_->has_room();
}

}  // namespace haypile::engine
