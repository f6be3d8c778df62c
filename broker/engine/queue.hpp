// A queue: its messages in order, and the consumers that take turns for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "engine/consumer.hpp"
#include "engine/consumer_rotation.hpp"
#include "engine/definitions.hpp"
#include "engine/destination.hpp"
#include "engine/message.hpp"
#include "engine/queue_context.hpp"
#include "engine/queue_options.hpp"
#include "engine/ready_messages.hpp"
#include "engine/settlement.hpp"

namespace haypile::engine {

// Names a client connection, for exclusive queues. 0: no connection.
using OwnerId = std::uint64_t;

// Keeps the messages of one queue and gives them to its consumers.
//
// Dispatch: among the consumers with credit, the next one in turn gets the head of the queue and
// then has its turn after all others. A consumer without credit is set aside until it has credit
// again; then its turn is the last one. With a single active consumer all others wait until that
// one is gone.
//
// Messages that the queue gives up (expired, over its length, rejected, delivered too often) go to
// the context's dead letters if the queue has a dead-letter exchange. Belongs to the engine's
// thread.
class Queue final : public Destination {
 public:
  // The context must outlive the queue. `owner` is the connection that an exclusive queue belongs
  // to.
  Queue(QueueDefinition definition, QueueOptions options, OwnerId owner, QueueContext& context);

  const QueueDefinition& definition() const { return definition_; }
  const QueueOptions& options() const { return options_; }
  const std::string& name() const { return definition_.name; }
  OwnerId owner() const { return owner_; }
  bool durable() const { return definition_.durable; }

  std::size_t ready_count() const { return ready_.size(); }
  std::size_t unacked_count() const { return unacked_count_; }
  std::size_t consumer_count() const { return rotation_.size(); }
  bool has_exclusive_consumer() const { return exclusive_consumer_; }

  // Whether refuses() has to be called before a message is pushed.
  bool may_refuse() const { return may_refuse_; }
  // Whether the queue needs the publish time of each of its messages (x-message-ttl).
  bool is_timed() const { return options_.message_ttl_ms.has_value(); }
  // Whether the queue has to refuse a message of that size (x-overflow=reject-publish).
  bool refuses(std::size_t body_size) {
    return options_.overflow != Overflow::drop_head && is_full_for(body_size);
  }
  // Adds a new message at the end of the queue. If a consumer is free, it gets the message at once.
  void push(const MessagePtr& message);
  // Adds a message that recovery found. The queue has no consumers yet.
  void restore(MessagePtr message, bool redelivered, std::uint32_t delivery_count);

  // Takes the head of the queue for a client that can be sent properties of up to `properties_max`
  // bytes (Subscriptions::properties_max()). Returns false if nothing is ready for it. The message
  // counts as unacked until it is settled, rejected, requeued or withheld.
  bool pop(std::size_t properties_max, QueuedMessage& out);
  // Takes back a popped message that could not be sent: its properties need `needed` bytes, and
  // only clients that can be sent that much may get it. Call dispatch() afterwards.
  void withhold(QueuedMessage&& entry, std::size_t needed);
  // Takes back a popped message, to its own place. Call dispatch() when all of them are back.
  void requeue(QueuedMessage entry);
  // A popped message has left the queue for good.
  void acknowledge(const QueuedMessage& entry);
  // A consumer has rejected a popped message and does not want it returned.
  void reject(const QueuedMessage& entry);
  // Does what acknowledge(), reject() or requeue() does, by `how`.
  void settle(QueuedMessage&& entry, Settlement how);
  // Messages are about to come back. The queue gives out nothing until resume_dispatch(), which
  // says that all of them are back. Calls may be nested.
  void hold_dispatch() { ++dispatch_holds_; }
  void resume_dispatch();
  // Gives up a message that never was in the queue (x-overflow=reject-publish-dlx).
  void refuse(QueuedMessage entry);
  // A dead letter of the queue has been passed on, or dropped, and is gone for good.
  void letter_passed_on(const QueuedMessage& entry);
  // Whether messages that came out of the queue are not gone for good (unacked, or dead letters),
  // or dispatch is held.
  bool has_outstanding() const { return unacked_count_ + letter_count_ + dispatch_holds_ > 0; }
  // Whether nothing is left of a deleted queue.
  bool is_finished() const {
    return closed() && !is_bound_ && !has_outstanding() && ready_count() == 0;
  }
  // Drops up to `count_max` ready messages without dead-lettering and returns how many it dropped.
  // All messages that only the backlogs have are dropped at once, without this limit; the others as
  // far as the portion allows.
  std::size_t purge(std::size_t count_max, const Portion& portion);

  void add_consumer(Consumer& consumer);
  void remove_consumer(Consumer& consumer);
  // Call this when the consumer may have credit again.
  void credit_returned(Consumer& consumer);
  // Gives ready messages to consumers with credit.
  void dispatch();

  // Counts as a use of the queue, which matters if it expires when it is not used (x-expires).
  void note_use() {
    if (options_.expires_ms) record_use();
  }
  // Sets since when nobody has used the queue, as recovery found it. 0: it was in use, or the log
  // never said.
  void restore_unused_since(TimeMs time);
  // The deadline that the queue armed has come. Gives up what has expired. Call is_overdue()
  // afterwards: it says whether the queue itself has expired.
  void on_deadline();
  bool is_overdue() const;

  // Tells the journal that the message has left this queue.
  void release(const QueuedMessage& entry);
  // Adds what recovery found on disk only. Call this before restore().
  void restore_backlog(std::uint8_t priority, Backlog& backlog);
  // Stores a popped message that has not been settled, during a move. The queue must be durable.
  void store_unacked(QueuedMessage& entry);
  // The order in which unacked messages of this queue should be stored: by level, then by place.
  std::pair<std::uint8_t, std::uint64_t> order_of(const QueuedMessage& entry) const {
    return {ready_.level_of(entry), entry.place};
  }
  // Removes a popped message from memory if it is on disk, since it has been sent to its client.
  void leave_memory(QueuedMessage& entry) const { ready_.leave_memory(entry); }
  // Reads the message into memory again. Returns false if it cannot be read; then the journal has
  // failed.
  bool read_back(QueuedMessage& entry) const { return ready_.read_back(entry); }
  // Deletes the queue: it takes no more messages. Unacked messages are settled by their channels.
  // The caller has to call discard_ready() for the ready messages, and to remove the bindings and
  // then call set_unbound(). Returns the consumers that were left; they no longer belong to the
  // queue.
  std::vector<Consumer*> close();
  void set_unbound() { is_bound_ = false; }
  // Drops ready messages without dead-lettering, up to `count_max` and as far as the portion
  // allows.
  void discard_ready(const Portion& portion,
                     std::size_t count_max = std::numeric_limits<std::size_t>::max());

  // Throws std::logic_error if the queue's counts are wrong, or if other parts of the engine hold a
  // different number of its messages, unacked or as dead letters.
  void check_invariants(std::size_t unacked_count, std::size_t letter_count) const;
  template <class Visit>
  void each_ready(Visit visit) const {
    ready_.each_in_memory(visit);
  }

  // Notes in the journal which of the ready messages had been delivered. For a clean stop.
  void mark_delivered();
  // Does the same for one message that neither the queue nor a client holds.
  void mark_delivered(const QueuedMessage& entry);

 private:
  Consumer* next_consumer();
  void set_aside(Consumer& consumer);
  bool deliver_to(Consumer& consumer, QueuedMessage&& entry);
  void deliver_ready();
  void offer_withheld();
  std::vector<Consumer*> candidates_for_withheld();
  void note_candidate(Consumer& consumer);
  bool is_full_for(std::size_t body_size);
  TimeMs expiry(const MessageTimes& times) const;
  // Returns false if there is more to drop than one call should drop. The caller arms the queue,
  // and on_deadline() continues.
  bool drop_expired();
  // Does the same for messages over the queue's length.
  bool drop_excess();
  bool is_too_long() const;
  bool may_dead_letter() const;
  void give_up(const QueuedMessage& entry, DeathReason reason);
  QueuedRef ref_of(const QueuedMessage& entry) const {
    const Message& message = *entry.message;
    if (message.is_absent()) {
      return {.queue = definition_.id, .stored = entry.stored, .body_size = entry.absent_size};
    }
    return {definition_.id, message.position(), entry.stored, message.payload_size(),
            message.body().size()};
  }
  void arm();
  void record_use();

  QueueDefinition definition_;
  const QueueOptions options_;
  OwnerId owner_;
  QueueContext& context_;
  MemoryShare memory_;
  ReadyMessages ready_;
  const bool may_refuse_;
  // Whether the queue has limits, or messages that expire. Other queues skip these checks.
  bool may_drop_;
  bool exclusive_consumer_ = false;
  bool is_bound_ = true;  // false: certainly not
  // Whether a consumer with credit might take a withheld message.
  bool may_offer_withheld_ = false;
  // Whether one call did not give out everything; on_deadline() continues.
  bool is_interrupted_ = false;
  std::uint64_t next_place_ = 1;
  std::size_t unacked_count_ = 0;
  std::size_t dispatch_holds_ = 0;
  std::size_t letter_count_ = 0;  // given up and not passed on yet
  ConsumerRotation rotation_;
  Consumer* active_ = nullptr;  // the single active consumer
  Timer timer_;
  TimeMs used_at_ = 0;     // the last use; only kept if the queue expires
  TimeMs logged_use_ = 0;  // the last use that the journal knows of; it may be in the future
};

}  // namespace haypile::engine
