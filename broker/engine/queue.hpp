// A queue: messages in order, and the line of consumers that take them.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "engine/consumer.hpp"
#include "engine/definitions.hpp"
#include "engine/journal.hpp"
#include "engine/message.hpp"

namespace haypile::engine {

struct Binding;

// Names a client connection, for exclusive queues; 0 is none.
using OwnerId = std::uint64_t;

// Dispatch: the head of the line of consumers with credit gets the head of the queue and goes to
// the end of the line. Who has no credit leaves the line, and rejoins at its end when it has credit
// again.
class Queue {
 public:
  // The journal outlives the queue. `owner` is the connection that an exclusive queue belongs to.
  Queue(QueueDefinition definition, OwnerId owner, Journal& journal);

  const QueueDefinition& definition() const { return definition_; }
  const std::string& name() const { return definition_.name; }
  OwnerId owner() const { return owner_; }
  bool durable() const { return definition_.durable; }

  std::size_t ready_count() const { return ready_.size() + returned_.size(); }
  std::size_t unacked_count() const { return unacked_count_; }
  std::size_t consumer_count() const { return line_.size() + waiting_.size(); }
  bool has_exclusive_consumer() const { return exclusive_consumer_; }

  const std::vector<Binding*>& incoming() const { return incoming_; }

  // A new message, at the end of the queue; goes to a consumer at once if one is free.
  void push(MessagePtr message);
  // A message that recovery found; nobody consumes yet.
  void restore(MessagePtr message, bool redelivered);

  // Takes the head of the queue; false when nothing is ready. It counts as unacked until it
  // is settled or requeued.
  bool pop(Entry& out);
  // A popped entry comes back to its own place. Call dispatch() when all are back.
  void requeue(Entry entry);
  // A popped entry is gone for good.
  void settle(const Entry& entry);
  // Drops all that is ready; returns how many.
  std::size_t purge();

  void add_consumer(Consumer& consumer);
  void remove_consumer(Consumer& consumer);
  // The consumer may have credit again.
  void wake(Consumer& consumer);
  // Gives out what is ready to those who have credit.
  void dispatch();

  // Lets go of all ready messages and takes no more; unacked ones are settled by their channels.
  // Returns the consumers that were left; they are no longer the queue's.
  std::vector<Consumer*> close();
  bool closed() const { return closed_; }

  // At a clean stop: notes in the journal which of the ready messages had been delivered.
  void mark_delivered();

 private:
  friend class Exchange;
  friend class Router;

  Consumer* next_consumer();
  void give(Consumer& consumer, Entry entry);
  void leave_line(Consumer& consumer);
  void discard(const Message& message);

  QueueDefinition definition_;
  OwnerId owner_;
  Journal& journal_;
  std::deque<Entry> ready_;
  std::map<std::uint64_t, Entry> returned_;  // requeued; all places below those of ready_
  std::uint64_t next_place_ = 1;
  std::size_t unacked_count_ = 0;
  std::list<Consumer*> line_;
  std::list<Consumer*> waiting_;  // consumers without credit
  bool exclusive_consumer_ = false;
  bool closed_ = false;
  std::vector<Binding*> incoming_;  // kept by Exchange; owned by the bindings' sources
  std::uint64_t routing_mark_ = 0;  // the last routing that found this queue
};

}  // namespace haypile::engine
