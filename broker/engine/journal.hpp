// What the engine asks of a log. The engine decides, the journal remembers.
#pragma once

#include <span>

#include "engine/definitions.hpp"

namespace haypile::engine {

// Appends are kept in order and become durable in order. Each append that a client may have to
// wait for is covered by end() as it reads right after the call: once durable() >= that value it
// is on stable storage. An append never fails: a log that cannot write stops the process.
//
// Called by the core thread only. Only durable things are logged: durable exchanges and queues,
// bindings between such, persistent messages in durable queues.
class Journal {
 public:
  virtual ~Journal() = default;

  virtual void declare_exchange(const ExchangeDefinition& exchange) = 0;
  // Bindings from and to the exchange go with it, without records of their own.
  virtual void delete_exchange(std::string_view name) = 0;

  virtual void declare_queue(const QueueDefinition& queue) = 0;
  // Bindings to the queue and its messages go with it, without records of their own. The caller
  // must release() each message that was in it.
  virtual void delete_queue(QueueId queue) = 0;

  virtual void bind(const BindingDefinition& binding) = 0;
  virtual void unbind(const BindingDefinition& binding) = 0;

  // One record for all `queues` (never empty). Returns the position that names the message from
  // now on, in ack() and release(); positions rise with each call.
  virtual LogPosition publish(const MessageView& message, std::span<const QueueId> queues) = 0;

  // The message at `message` left `queue` for good: acknowledged, dropped, purged.
  virtual void ack(QueueId queue, LogPosition message) = 0;

  // One queue less holds the message at `message`; its queue was deleted, so no record is needed.
  virtual void release(LogPosition message) = 0;

  // The message was given to a consumer and came back. Written at a clean stop only: after an
  // unclean one every message counts as delivered.
  virtual void mark_delivered(QueueId queue, LogPosition message) = 0;

  // The message came back to `queue` for the `count`th time; replaces what was said before.
  virtual void set_delivery_count(QueueId queue, LogPosition message, std::uint32_t count) = 0;

  // Since when nobody has used the queue (x-expires); 0: it is in use. Of queues that have been
  // declared and not deleted.
  virtual void set_unused_since(QueueId queue, TimeMs time) = 0;

  // What publish() and ack() say between the two is there after a crash as a whole or not at all.
  // Groups do not nest. Neither flushing nor reading durable() in between.
  virtual void begin_group() = 0;
  virtual void end_group() = 0;

  virtual LogPosition end() const = 0;
  virtual LogPosition durable() const = 0;
};

// Keeps nothing: for brokers without a data directory. Everything is "durable" at once.
class NullJournal final : public Journal {
 public:
  void declare_exchange(const ExchangeDefinition&) override {}
  void delete_exchange(std::string_view) override {}
  void declare_queue(const QueueDefinition&) override {}
  void delete_queue(QueueId) override {}
  void bind(const BindingDefinition&) override {}
  void unbind(const BindingDefinition&) override {}
  LogPosition publish(const MessageView&, std::span<const QueueId>) override { return ++end_; }
  void ack(QueueId, LogPosition) override {}
  void release(LogPosition) override {}
  void mark_delivered(QueueId, LogPosition) override {}
  void set_delivery_count(QueueId, LogPosition, std::uint32_t) override {}
  void set_unused_since(QueueId, TimeMs) override {}
  void begin_group() override {}
  void end_group() override {}
  LogPosition end() const override { return end_; }
  LogPosition durable() const override { return end_; }

 private:
  LogPosition end_ = 0;
};

// A message in one queue, as recovery found it.
struct RecoveredCopy {
  QueueId queue = 0;
  bool redelivered = false;  // it had been delivered, or may have been
  std::uint32_t delivery_count = 0;
};

// Where recovery puts what it found; the engine implements it. All definitions come first, then
// the messages by rising position. Views are valid during the call only.
class Recovery {
 public:
  virtual ~Recovery() = default;
  virtual void exchange(const ExchangeDefinition& exchange) = 0;
  // `unused_since` as set_unused_since() had it last; 0 too if it was never called.
  virtual void queue(const QueueDefinition& queue, TimeMs unused_since) = 0;
  virtual void binding(const BindingDefinition& binding) = 0;
  // `copies`: one for each queue that still holds the message; never empty, all queues known.
  virtual void message(LogPosition position, const MessageView& message,
                       std::span<const RecoveredCopy> copies) = 0;
};

}  // namespace haypile::engine
