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
  bool takes_turns() const { return takes_turns_; }

 private:
  friend class Subscriptions;
  friend class ConsumerRotation;

  MemoryShare memory_;
  ConsumerOptions options_;
  Queue* queue_;
  Subscriptions* subscriptions_;
  std::uint32_t prefetch_count_;  // 0: no limit
  std::uint32_t unacked_count_ = 0;
  bool cancelled_ = false;
  bool takes_turns_ = false;  // this and what follows are kept by ConsumerRotation
  PriorityGroup* group_ = nullptr;
  std::list<Consumer*>::iterator place_{};  // in one of the group's lists
  bool is_parked_ = false;                  // this and what follows are kept by the channel
  std::list<Consumer*>::iterator parking_{};
};

}  // namespace haypile::engine
