// A consumer: a client's wish to get the messages of a queue.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <utility>

#include "engine/message.hpp"

namespace haypile::engine {

class Subscriptions;
struct PriorityGroup;
class Queue;

struct ConsumerOptions {
  std::string tag;
  bool no_ack = false;
  bool exclusive = false;
  std::int64_t priority = 0;  // higher: served first
};

// One consumer (basic.consume). Belongs to its channel. A cancelled one exists until what it was
// given is settled.
class Consumer {
 public:
  // Its turns at its queue.
  struct Turn {
    bool is_taken = false;  // it takes turns; otherwise it was set aside
    PriorityGroup* group = nullptr;
    std::list<Consumer*>::iterator place{};  // in one of the group's lists
  };
  // What its channel knows of it.
  struct Account {
    MemoryShare memory{};
    std::uint32_t unacked_count = 0;
    bool is_cancelled = false;
    bool is_parked = false;                    // it waits for the channel
    std::list<Consumer*>::iterator parking{};  // among the channel's consumers
  };

  Consumer(ConsumerOptions options, Queue& queue, Subscriptions& channel,
           std::uint32_t prefetch_count)
      : options_(std::move(options)),
        queue_(&queue),
        subscriptions_(&channel),
        prefetch_count_(prefetch_count) {}

  const ConsumerOptions& options() const { return options_; }
  Queue& queue() const { return *queue_; }
  Subscriptions& subscriptions() const { return *subscriptions_; }

  // Whether it can get a message now: the prefetch counts of consumer and channel and the room in
  // the output allow it.
  bool has_credit() const;
  bool takes_turns() const { return turn_.is_taken; }

  // Only for ConsumerRotation.
  Turn& turn() { return turn_; }
  // Only for Subscriptions.
  Account& account() { return account_; }
  const Account& account() const { return account_; }

 private:
  ConsumerOptions options_;
  Queue* queue_;
  Subscriptions* subscriptions_;
  std::uint32_t prefetch_count_;  // 0: no limit
  Turn turn_;
  Account account_;
};

}  // namespace haypile::engine
