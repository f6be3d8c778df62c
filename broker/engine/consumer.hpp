// A consumer: who may be given messages of a queue.
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
  std::int64_t priority = 0;  // higher ones are served first
};

// Belongs to its channel; a cancelled one lives on until what it was given is settled.
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

  // Whether it can be given a message now: prefetch of consumer and channel, room in the output.
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
  bool takes_turns_ = false;  // this and what follows are kept by the queue's line
  PriorityGroup* group_ = nullptr;
  std::list<Consumer*>::iterator place_{};  // in one of the group's lists
  bool is_parked_ = false;                  // this and what follows are kept by the channel
  std::list<Consumer*>::iterator parking_{};
};

}  // namespace haypile::engine
