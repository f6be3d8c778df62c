// A queue: messages in order, and the line of consumers that take them.
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

// Names a client connection, for exclusive queues; 0 is none.
using OwnerId = std::uint64_t;

// Dispatch: the first of the consumers with credit gets the head of the queue and becomes the last
// of them. A consumer without credit is set aside, and comes back as the last one when it has
// credit again. With a single active consumer all others wait until it is gone.
//
// Messages that the queue gives up (expired, over its length, rejected, delivered too often) are
// left in the context's dead letters if it has a dead-letter exchange.
class Queue final : public Destination {
 public:
  // The context outlives the queue. `owner` is the connection that an exclusive queue belongs
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

  // Whether refuses() has to be asked before a message is pushed.
  bool may_refuse() const { return may_refuse_; }
  // Whether it matters for all of its messages when they came.
  bool is_timed() const { return options_.message_ttl_ms.has_value(); }
  // Whether a message of that size has to be refused (x-overflow=reject-publish).
  bool refuses(std::size_t body_size) {
    return options_.overflow != Overflow::drop_head && is_full_for(body_size);
  }
  // A new message, at the end of the queue; goes to a consumer at once if one is free.
  void push(const MessagePtr& message);
  // A message that recovery found; nobody consumes yet.
  void restore(MessagePtr message, bool redelivered, std::uint32_t delivery_count);

  // Takes the head of the queue, for somebody who can be sent so much
  // (Subscriptions::properties_max()); false when nothing is ready. It counts as unacked until it
  // is settled, rejected, requeued or withheld.
  bool pop(std::size_t properties_max, QueuedMessage& out);
  // A popped entry was not given to anybody: it is for those only who can be sent as much as it
  // needs. Call dispatch() afterwards.
  void withhold(QueuedMessage&& entry, std::size_t needed);
  // A popped entry comes back to its own place. Call dispatch() when all are back.
  void requeue(QueuedMessage entry);
  // A popped entry is gone for good.
  void acknowledge(const QueuedMessage& entry);
  // A consumer does not want it.
  void reject(const QueuedMessage& entry);
  // One of these three.
  void settle(QueuedMessage&& entry, Settlement how);
  // Messages are coming back to it: until resume_dispatch(), which says that all are there, it
  // gives out nothing. May be nested.
  void hold_dispatch() { ++dispatch_holds_; }
  void resume_dispatch();
  // Gives up a message that never was in it (x-overflow=reject-publish-dlx).
  void refuse(QueuedMessage entry);
  // What it gave up has been passed on, and is gone for good.
  void letter_passed_on(const QueuedMessage& entry);
  // Whether anything that came out of it is not gone for good: unacked, or a dead letter.
  bool has_outstanding() const { return unacked_count_ + letter_count_ + dispatch_holds_ > 0; }
  // Whether nothing is left of a deleted queue.
  bool is_finished() const {
    return closed() && !is_bound_ && !has_outstanding() && ready_count() == 0;
  }
  // Drops what is ready, `count_max` at most, without dead-lettering; returns how many. What is not
  // in memory goes at once, and the rest as the portion has room for.
  std::size_t purge(std::size_t count_max, const Portion& portion);

  void add_consumer(Consumer& consumer);
  void remove_consumer(Consumer& consumer);
  // The consumer may have credit again.
  void credit_returned(Consumer& consumer);
  // Gives out what is ready to those who have credit.
  void dispatch();

  // Counts as use of a queue that expires when nobody uses it.
  void note_use() {
    if (options_.expires_ms) record_use();
  }
  // As recovery found it; 0: it was in use, or never said to be.
  void restore_unused_since(TimeMs time);
  // The deadline has come that the queue armed: gives up what has expired. Then is_overdue() says
  // whether the queue itself has.
  void on_deadline();
  bool is_overdue() const;

  // The journal need not remember the message in this queue any longer.
  void release(const QueuedMessage& entry);
  // What recovery found of it on disk; before its messages in memory.
  void restore_backlog(std::uint8_t priority, Backlog& backlog);
  // Of a durable queue, in a move: stores a message that was popped and not settled.
  void store_unacked(QueuedMessage& entry);
  // In which order those are to come.
  std::pair<std::uint8_t, std::uint64_t> order_of(const QueuedMessage& entry) const {
    return {ready_.level_of(entry), entry.place};
  }
  // Somebody has got the message that was popped: it need not be in memory if it is on disk.
  void leave_memory(QueuedMessage& entry) const { ready_.leave_memory(entry); }
  // Puts it into memory again. False if it cannot be read: the journal is at its end.
  bool read_back(QueuedMessage& entry) const { return ready_.read_back(entry); }
  // Takes no more messages; unacked ones are settled by their channels, ready ones are left for
  // discard_ready(), and bindings to be removed: then set_unbound().
  // Returns the consumers that were left; they are no longer the queue's.
  std::vector<Consumer*> close();
  void set_unbound() { is_bound_ = false; }
  // Lets go of ready messages, as many as the portion has room for.
  void discard_ready(const Portion& portion,
                     std::size_t count_max = std::numeric_limits<std::size_t>::max());

  // Throws std::logic_error if its books do not agree, or if others hold another number of its
  // messages unacked, or as dead letters.
  void check_invariants(std::size_t unacked_count, std::size_t letter_count) const;
  template <class Visit>
  void each_ready(Visit visit) const {
    ready_.each_in_memory(visit);
  }

  // At a clean stop: notes in the journal which of the ready messages had been delivered.
  void mark_delivered();
  // The same for one that is in nobody's hands.
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
  // False if there is more to drop than should be done in one go: on_deadline() will.
  bool drop_expired();
  // The same for what is too much.
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
  // Has limits, or messages that expire: those of any other queue need no looking after.
  bool may_drop_;
  bool exclusive_consumer_ = false;
  bool is_bound_ = true;  // or may be
  // Somebody in line might take what is withheld.
  bool may_offer_withheld_ = false;
  // There is more to give out than in one go: on_deadline() goes on.
  bool is_interrupted_ = false;
  std::uint64_t next_place_ = 1;
  std::size_t unacked_count_ = 0;
  std::size_t dispatch_holds_ = 0;
  std::size_t letter_count_ = 0;  // given up, and not passed on yet
  ConsumerRotation rotation_;
  Consumer* active_ = nullptr;  // the single active consumer
  Timer timer_;
  TimeMs used_at_ = 0;     // kept if the queue expires
  TimeMs logged_use_ = 0;  // the use that the journal knows of, which may lie ahead
};

}  // namespace haypile::engine
