// One AMQP channel's share of the engine: its consumers, and what it was given and has not settled.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/consumer.hpp"
#include "engine/error.hpp"
#include "engine/message.hpp"
#include "engine/unacked.hpp"

namespace haypile::engine {

class Engine;

// Views are valid during the call only.
struct Delivery {
  std::string_view consumer_tag;
  std::uint64_t delivery_tag;
  bool redelivered;
  const Message& message;
};

// Where a channel's deliveries go. Both calls may come out of any call to the engine; they must not
// call back into it.
class DeliverySink {
 public:
  virtual ~DeliverySink() = default;
  // Returns whether there is room for more; if not, Channel::resume() says when there is again.
  virtual bool deliver(const Delivery& delivery) = 0;
  // The consumer is gone with its queue.
  virtual void consumer_cancelled(std::string_view consumer_tag) = 0;
};

enum class Settlement : std::uint8_t { ack, drop, requeue };

// What basic.get found.
struct GetResult {
  bool found = false;
  bool redelivered = false;
  std::uint64_t delivery_tag = 0;
  std::size_t ready_count = 0;  // without this one
  MessagePtr message;
};

class Channel {
 public:
  // Engine and sink outlive the channel. `owner` is the connection, for exclusive queues.
  Channel(Engine& engine, DeliverySink& sink, std::uint64_t owner);
  // As close().
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  std::uint64_t owner() const { return owner_; }

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
  // Nothing is delivered to it from now on; what it was given stays unacked. Unknown tags are ok.
  void cancel(std::string_view tag);

  Error get(std::string_view queue, bool no_ack, GetResult& out);

  // `multiple`: all tags up to that one; tag 0 with it: all. Fails with precondition_failed on a
  // tag that is unknown or was settled before.
  Error settle(std::uint64_t delivery_tag, bool multiple, Settlement how);
  // All unacked messages go back to their places.
  void recover();

  // There is room in the output again.
  void resume();
  // Ends the consumers and gives back all that is unacked. Can be called twice.
  void close();

 private:
  friend class Consumer;
  friend class Engine;
  friend class Queue;

  void deliver(Consumer& consumer, Entry entry);
  bool has_room() const {
    return sink_has_room_ && (prefetch_count_all_ == 0 || unacked_count_ < prefetch_count_all_);
  }
  void finish(UnackedMessage& message, Settlement how);
  void finish_all(std::vector<UnackedMessage>& messages, Settlement how);
  void wake_consumers();
  void remove_cancelled(Consumer& consumer);
  void queue_deleted(Consumer& consumer);

  Engine& engine_;
  DeliverySink& sink_;
  std::uint64_t owner_;
  std::uint32_t prefetch_count_ = 0;
  std::uint32_t prefetch_count_all_ = 0;
  std::uint32_t unacked_count_ = 0;  // given to consumers; basic.get is outside
  bool sink_has_room_ = true;
  Unacked unacked_;
  std::unordered_map<std::string_view, std::unique_ptr<Consumer>> consumers_;
  std::vector<std::unique_ptr<Consumer>> cancelled_;  // with messages still unacked
};

}  // namespace haypile::engine
