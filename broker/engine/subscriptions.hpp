// One AMQP channel's share of the engine: its consumers, and what it was given and has not settled.
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

// Views are valid during the call only.
struct Delivery {
  std::string_view consumer_tag;
  std::uint64_t delivery_tag;
  bool redelivered;
  std::uint32_t delivery_count;  // how often it came back; 0 if its queue does not count
  const MessagePtr& message;
};

// Where a channel's deliveries go. Both calls may come out of any call to the engine; they must not
// call back into it.
class DeliverySink {
 public:
  virtual ~DeliverySink() = default;
  // Returns whether there is room for more; if not, Subscriptions::resume() says when there is
  // again.
  virtual bool deliver(const Delivery& delivery) = 0;
  // The consumer is gone with its queue.
  virtual void consumer_cancelled(std::string_view consumer_tag) = 0;
  // The client was to be given a message with so many bytes of properties, which is more than it
  // can be sent (Subscriptions::set_properties_max()). The message waits for others; to this
  // channel nothing is delivered any more, and it has to be closed.
  virtual void refused(std::size_t /*properties_size*/) {}
};

// What basic.get found.
struct GetResult {
  bool found = false;
  // Of what was next, if it is more than the client can be sent: then the channel has to be closed,
  // and the message stays in the queue, for others.
  std::size_t refused_size = 0;
  bool redelivered = false;
  std::uint32_t delivery_count = 0;  // as in Delivery
  std::uint64_t delivery_tag = 0;
  std::size_t ready_count = 0;  // without this one
  MessagePtr message;
};

class Subscriptions {
 public:
  // Engine and sink outlive the channel. `owner` is the connection, for exclusive queues.
  Subscriptions(Engine& engine, DeliverySink& sink, std::uint64_t owner);
  // As close().
  ~Subscriptions();
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  std::uint64_t owner() const { return owner_; }

  // The most that the client can be sent of a message's properties, encoded; no limit otherwise.
  void set_properties_max(std::size_t bytes) { properties_max_ = bytes; }
  std::size_t properties_max() const { return properties_max_; }

  // 0: no limit. Counts for consumers that start later, each for itself.
  void set_prefetch(std::uint32_t prefetch_count) { prefetch_count_ = prefetch_count; }
  // 0: no limit. Counts for all consumers of the channel together, at once.
  void set_channel_prefetch(std::uint32_t prefetch_count);

  // The tag must not be in use on this channel (has_consumer()). Deliveries start with
  // start_consumer(), which has to be the next call to the engine: between the two the client is
  // told that it consumes.
  Error consume(std::string_view queue, ConsumerOptions options);
  void start_consumer(std::string_view tag);
  bool has_consumer(std::string_view tag) const;
  // Direct reply-to: what is published to the default exchange with that routing key comes to this
  // channel, to a consumer without acknowledgements, for as long as it is there and reads. No other
  // channel may have the name.
  Error consume_replies(ConsumerOptions options, std::string name);
  // Under which this channel's replies come; empty if it takes none.
  const std::string& reply_name() const { return reply_name_; }
  // Nothing is delivered to it from now on; what it was given stays unacked. Unknown tags are ok.
  void cancel(std::string_view tag);

  Error get(std::string_view queue, bool no_ack, GetResult& out);

  // `multiple`: all tags up to that one; tag 0 with it: all. Fails with precondition_failed on a
  // tag that is unknown or was settled before.
  Error settle(std::uint64_t delivery_tag, bool multiple, Settlement how);
  // All unacked messages go back to their places. Many of them take several turns, in which their
  // queues give nothing out.
  void requeue_all();

  // What it would give back by settling, in bytes, as far as a look at some of it tells.
  std::size_t unsettled_bytes(std::size_t bytes_max) const;
  // The bodies of all that it has settled for good.
  std::size_t settled_bytes() const { return settled_bytes_; }

  // In a transaction: takes the messages out as settle() does, and fails as it does, or if it were
  // more than held_max; they are settled with settle_held(), or unacked again after release_held().
  Error hold(std::uint64_t delivery_tag, bool multiple, Settlement how);
  // So many can be settled in one step.
  static constexpr std::size_t held_max = 100'000;
  void settle_held();
  void release_held();

  // Nothing is delivered any more: for channels that are about to be closed together, so that what
  // one gives back does not come to the next.
  void stop_deliveries() {
    stopped_ = true;
    sink_has_room_ = false;
  }
  // There is room in the output again.
  void resume();
  // Whether it has so many in hand (Engine::set_unacked_max()) that whoever calls get() for it
  // should put that off.
  bool should_put_off_get() const;
  // Throws std::logic_error if its books do not agree.
  void check_invariants();
  // Ends the consumers and gives back all that is unacked. Can be called twice.
  void close();

  // For the other parts of the engine.

  // Direct reply-to: delivers the message. False if the client does not read, or cannot be sent it.
  bool deliver_reply(const MessagePtr& message);
  // What its consumers, and basic.get, were given and is neither settled nor held by a transaction.
  Unacked& unacked() { return unacked_; }
  // Calls `visit(UnackedMessage&)` for all it was given and has not settled for good.
  template <class Visit>
  void each_in_hand(Visit visit) {
    unacked_.each(visit);
    each_held(visit);
  }
  // The same for what a transaction holds.
  template <class Visit>
  void each_held(Visit visit) {
    for (HeldSettlement& held : held_) {
      for (TaggedMessage& message : held.messages)
        visit(message);
    }
  }
  // Settles a portion of what one of its calls has left.
  void continue_settling(SettlingJob& job, const Portion& portion);
  // Whether its consumers get nothing because it has too much unacked (UnackedMax).
  bool is_limited() const { return is_limited_; }
  // It has settled half of what it had, or may have more. Call resume_parked() afterwards.
  void lift_limit();
  // The consumer's queue has been deleted: it ends, and its client is told.
  void queue_deleted(Consumer& consumer);
  // The channel has credit again: its parked consumers get messages, the longest parked first.
  void resume_parked();

 private:
  friend class Consumer;
  friend class Queue;

  struct HeldSettlement {
    std::vector<TaggedMessage> messages;
    Settlement how;
  };

  void deliver(Consumer& consumer, QueuedMessage&& entry);
  // How large the message's properties are as the client is told them: what the broker tells
  // besides is left out if there is no room for it.
  std::size_t properties_size(const Message& message) {
    const std::size_t size = message.properties().size();
    return size <= properties_max_ ? size : bare_size(message);
  }
  std::size_t bare_size(const Message& message);
  // It was to be given what it cannot be sent.
  void refuse(std::size_t properties_size) {
    stop_deliveries();
    sink_.refused(properties_size);
  }
  // Its consumers get nothing from now on; lift_limit() ends that. Does nothing if it is so
  // already.
  void limit_unacked();
  bool has_room() const {
    return sink_has_room_ && !is_limited_ &&
           (prefetch_count_all_ == 0 || unacked_count_ < prefetch_count_all_);
  }
  void finish_until(std::uint64_t last, Settlement how);
  std::vector<Queue*> queues_paused_by(Settlement how) const;
  void finish(UnackedMessage& message, Settlement how);
  void dispatch_after_settling(Affected& touched, bool channel_was_full);
  // The consumer could have a message, but for the channel's credit: it gets some in its turn.
  void park(Consumer& consumer);
  void unpark(Consumer& consumer);
  // The consumer may have credit again.
  void credit_returned(Consumer& consumer);
  std::size_t free_credit() const;
  void remove_consumer(Consumer& consumer);
  void keep_cancelled(std::unique_ptr<Consumer> consumer);
  void remove_cancelled(const Consumer& consumer);

  // By their tags.
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
  std::uint32_t unacked_count_ = 0;  // given to consumers; basic.get is outside
  std::size_t properties_max_ = std::numeric_limits<std::size_t>::max();
  bool sink_has_room_ = true;
  bool stopped_ = false;
  bool is_limited_ = false;
  std::list<Consumer*> parked_;  // the longest first
  std::list<Consumer*> running_;
  std::vector<Queue*> resumed_queues_;  // of the consumers that are being woken
  std::size_t settled_bytes_ = 0;
  Unacked unacked_;
  Consumers consumers_;
  // With messages still unacked.
  std::unordered_map<const Consumer*, std::unique_ptr<Consumer>> cancelled_;
  // What basic.get has brought from which queue, of what is not settled.
  std::unordered_map<Queue*, std::size_t> got_;
  std::vector<HeldSettlement> held_;
  std::size_t held_count_ = 0;  // messages
  std::string reply_name_;
  std::string reply_tag_;
};

inline bool Consumer::has_credit() const {
  if (HAYPILE_CANARY(prefetch_ignored)) return subscriptions_->has_room();
  return (prefetch_count_ == 0 || unacked_count_ < prefetch_count_ || options_.no_ack) &&
         subscriptions_->has_room();
}

}  // namespace haypile::engine
