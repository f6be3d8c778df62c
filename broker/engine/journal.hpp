// What the engine asks of a log. The engine decides, the journal remembers.
#pragma once

#include <span>
#include <stdexcept>

#include "engine/backlog.hpp"
#include "engine/definitions.hpp"

namespace haypile::engine {

// Appends are kept in order and become durable in order. Each append that a client may have to
// wait for is covered by end() as it reads right after the call: once durable() >= that value it
// is on stable storage. An append never fails: a log that cannot write stops the process.
//
// Called by the engine's thread only. Only durable things are logged: durable exchanges and queues,
// bindings between such, persistent messages in durable queues.
class Journal {
 public:
  virtual ~Journal() = default;

  virtual void declare_exchange(const ExchangeDefinition& exchange) = 0;
  // Bindings from and to the exchange go with it, without records of their own. The caller must
  // release_binding() each, sooner or later.
  virtual void delete_exchange(std::string_view name) = 0;

  virtual void declare_queue(const QueueDefinition& queue) = 0;
  // Bindings to the queue and its messages go with it, without records of their own. The caller
  // must release_binding() each binding, and release() each message that was in it, but for what
  // only its backlogs have.
  virtual void delete_queue(QueueId queue) = 0;

  virtual void bind(const BindingDefinition& binding) = 0;
  virtual void unbind(const BindingDefinition& binding) = 0;
  // It went with one of its ends; what the journal has in memory of it can go. There may be another
  // one like it by now, between new ends.
  virtual void release_binding(const BindingDefinition&) {}

  // One record for all `queues` (never empty). Returns the position that names the message from
  // now on, in ack() and release(); positions rise with each call.
  virtual LogPosition publish(const MessageView& message, std::span<const QueueId> queues) = 0;

  // The message left its queue for good: acknowledged, dropped, purged.
  virtual void ack(const QueuedRef& copy) = 0;

  // One queue less holds the message; the queue was deleted, so no record is needed.
  virtual void release(const QueuedRef& copy) = 0;

  // The message was given to a consumer and came back. Written at a clean stop only: after an
  // unclean one every message counts as delivered.
  virtual void mark_delivered(const QueuedRef& copy) = 0;

  // The message came back to its queue for the `count`th time; replaces what was said before.
  virtual void set_delivery_count(const QueuedRef& copy, std::uint32_t count) = 0;

  // Since when nobody has used the queue (x-expires); 0: it is in use. Of queues that have been
  // declared and not deleted.
  virtual void set_unused_since(QueueId queue, TimeMs time) = 0;

  // The wall clock is engine time plus so many milliseconds from now on: it has been set.
  virtual void set_clock_offset(std::int64_t) {}

  // What publish() and ack() say between the two is there after a crash as a whole or not at all.
  // Groups do not nest. Neither flushing nor reading durable() in between.
  virtual void begin_group() = 0;
  virtual void end_group() = 0;

  // The log is bounded: messages that stay have to make room for new ones. All before the position
  // that move_boundary() gives are to be moved (0: none, for now). A move takes as many turns as it
  // needs; other calls may come in between. begin_move(); then, in each turn, store() for some of
  // the copies, as long as takes_more(), and end_portion(); when all copies of all messages before
  // the boundary have been stored that are in a queue or in a consumer's hands, end_move(). Copies
  // that stand by their places, queue by queue and priority by priority, take the least room.
  // `is_memory_short`: what is ready takes more memory than it should.
  virtual LogPosition move_boundary(bool is_memory_short) const = 0;
  virtual void begin_move(LogPosition boundary) = 0;
  // Whether this turn may go on: it is not much yet, and what came before is being written.
  virtual bool takes_more() const = 0;
  virtual StoredId store(const MessageToStore& copy) = 0;
  // What was stored, and did not stay in memory, is in the backlogs from now on.
  virtual void end_portion() = 0;
  virtual void end_move() = 0;
  // Where those that did not stay in memory are to be had again.
  virtual Backlog& backlog(QueueId queue, std::uint8_t priority) = 0;
  // Hands over one that was stored in an earlier portion, or that a backlog has handed over, and
  // that is not gone. False if it cannot be read: that is the end of the journal.
  virtual bool read(StoredId id, const Backlog::Take& take) = 0;

  // Whether it keeps up with what is appended. If not, what can wait should: publishers, and
  // dead letters.
  virtual bool keeps_up() const = 0;

  virtual LogPosition end() const = 0;
  virtual LogPosition durable() const = 0;
};

// For journals that are not bounded.
class UnboundedJournal : public Journal {
 public:
  LogPosition move_boundary(bool) const override { return 0; }
  void begin_move(LogPosition) override {}
  bool takes_more() const override { return false; }
  StoredId store(const MessageToStore&) override { return 0; }
  void end_portion() override {}
  void end_move() override {}
  Backlog& backlog(QueueId, std::uint8_t) override { throw std::logic_error("nothing is stored"); }
  bool read(StoredId, const Backlog::Take&) override { return false; }
  bool keeps_up() const override { return true; }
};

// Keeps nothing: for brokers without a data directory. Everything is "durable" at once.
class NullJournal final : public UnboundedJournal {
 public:
  void declare_exchange(const ExchangeDefinition&) override {}
  void delete_exchange(std::string_view) override {}
  void declare_queue(const QueueDefinition&) override {}
  void delete_queue(QueueId) override {}
  void bind(const BindingDefinition&) override {}
  void unbind(const BindingDefinition&) override {}
  LogPosition publish(const MessageView&, std::span<const QueueId>) override { return ++end_; }
  void ack(const QueuedRef&) override {}
  void release(const QueuedRef&) override {}
  void mark_delivered(const QueuedRef&) override {}
  void set_delivery_count(const QueuedRef&, std::uint32_t) override {}
  void set_unused_since(QueueId, TimeMs) override {}
  void begin_group() override {}
  void end_group() override {}
  LogPosition end() const override { return end_; }
  LogPosition durable() const override { return end_; }

 private:
  LogPosition end_ = 0;
};

// A message in one queue, as recovery found it.
struct RecoveredRef {
  QueueId queue = 0;
  bool redelivered = false;  // it had been delivered, or may have been
  std::uint32_t delivery_count = 0;
};

// By what time the messages that were found came.
struct RecoveredClock {
  // As set_clock_offset() had it last; 0 if it was never called.
  std::int64_t offset_ms = 0;
  // The latest engine time that was noted; 0 if none was.
  TimeMs seen = 0;
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
  // Between definitions and messages: what of a queue is on disk only; never empty.
  virtual void backlog(QueueId queue, std::uint8_t priority, Backlog& backlog) = 0;
  // `copies`: one for each queue that still holds the message; never empty, all queues known.
  virtual void message(LogPosition position, const MessageView& message,
                       std::span<const RecoveredRef> copies) = 0;
};

}  // namespace haypile::engine
