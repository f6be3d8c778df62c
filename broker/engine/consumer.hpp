// A consumer: who may be given messages of a queue.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <utility>

#include "engine/message.hpp"

namespace haypile::engine {

class Channel;
struct ConsumerGroup;
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
  Consumer(ConsumerOptions options, Queue& queue, Channel& channel, std::uint32_t prefetch_count)
      : options_(std::move(options)),
        queue_(&queue),
        channel_(&channel),
        prefetch_count_(prefetch_count) {}

  const ConsumerOptions& options() const { return options_; }
  Queue& queue() const { return *queue_; }
  Channel& channel() const { return *channel_; }

  // Whether it can be given a message now: prefetch of consumer and channel, room in the output.
  bool has_credit() const;
  bool in_line() const { return in_line_; }

 private:
  friend class Channel;
  friend class Line;

  MemoryShare memory_;
  ConsumerOptions options_;
  Queue* queue_;
  Channel* channel_;
  std::uint32_t prefetch_count_;  // 0: no limit
  std::uint32_t unacked_count_ = 0;
  bool cancelled_ = false;
  bool in_line_ = false;  // this and what follows are kept by the queue's line
  ConsumerGroup* group_ = nullptr;
  std::list<Consumer*>::iterator place_{};  // in one of the group's lists
  bool is_parked_ = false;                  // this and what follows are kept by the channel
  std::list<Consumer*>::iterator parking_{};
};

}  // namespace haypile::engine
