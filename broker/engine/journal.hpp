// What the engine needs of a log. The engine decides, the journal remembers.
#pragma once

#include <span>
#include <stdexcept>

#include "engine/backlog.hpp"
#include "engine/definitions.hpp"

namespace haypile::engine {

// Remembers the durable part of a virtual host. Appends are kept in order and become durable in
// order. If a client has to wait for an append, end() right after the call says for what: the
// append is on stable storage when durable() has reached that value. An append never fails: a log
// that cannot write stops the process.
//
// Belongs to the engine's thread. Only durable things are logged: durable exchanges and queues,
// bindings between such, persistent messages in durable queues.
class Journal {
 public:
  virtual ~Journal() = default;

  virtual void declare_exchange(const ExchangeDefinition& exchange) = 0;
  // Also deletes the bindings from and to the exchange, without records of their own. The caller
  // has to call release_binding() for each of them, sooner or later.
  virtual void delete_exchange(std::string_view name) = 0;

  virtual void declare_queue(const QueueDefinition& queue) = 0;
  // Also deletes the bindings to the queue and its messages, without records of their own. The
  // caller has to call release_binding() for each binding, and release() for each message that was
  // in the queue, except those that only its backlogs have.
  virtual void delete_queue(QueueId queue) = 0;

  virtual void bind(const BindingDefinition& binding) = 0;
  virtual void unbind(const BindingDefinition& binding) = 0;
  // The binding was deleted with one of its ends; the journal can forget what it has in memory
  // about it. An equal binding between new ends may exist by now.
  virtual void release_binding(const BindingDefinition&) {}

  // Appends one record for all `queues`, which is never empty. Returns the position that names the
  // message from now on. Positions rise with each call.
  virtual LogPosition publish(const MessageView& message, std::span<const QueueId> queues) = 0;

  // The message has left its queue for good: acknowledged, dropped or purged.
  virtual void ack(const QueuedRef& ref) = 0;

  // The message is gone from a queue that was deleted, so that no record is needed.
  virtual void release(const QueuedRef& ref) = 0;

  // The message was given to a consumer and came back. Called at a clean stop only: after an
  // unclean one every message counts as delivered.
  virtual void mark_delivered(const QueuedRef& ref) = 0;

  // The message has come back to its queue `count` times. Replaces the count before.
  virtual void set_delivery_count(const QueuedRef& ref, std::uint32_t count) = 0;

  // Since when nobody has used the queue (x-expires); 0: it is in use. The queue must be declared
  // and not deleted.
  virtual void set_unused_since(QueueId queue, TimeMs time) = 0;

  // The wall clock was set: from now on it is engine time plus this many milliseconds.
  virtual void set_clock_offset(std::int64_t) {}

  // After a crash, what publish() and ack() tell between the two calls is there completely or not
  // at all. Groups are not nested. While a group is open the journal is not flushed, and durable()
  // is not read.
  virtual void begin_group() = 0;
  virtual void end_group() = 0;

  // The log is bounded: old messages have to leave it to make room for new ones. move_boundary()
  // returns the position before which all messages are to be moved; 0: none, for now.
  // `is_memory_short` says that messages take more memory than they should.
  //
  // A move takes as many turns as it needs, with other calls in between: begin_move(); then, in
  // each turn, store() for some queued messages, as long as takes_more(), and end_portion(); then
  // end_move(), when all queued messages before the boundary, ready or unacked, have been stored.
  // They take the least room if they come queue by queue, priority by priority, in the order of
  // their places.
  virtual LogPosition move_boundary(bool is_memory_short) const = 0;
  virtual void begin_move(LogPosition boundary) = 0;
  // Whether this turn may store more: it is not too much yet, and what was stored before is being
  // written.
  virtual bool takes_more() const = 0;
  virtual StoredId store(const MessageToStore& entry) = 0;
  // Messages that were stored, and do not stay in memory, are in the backlogs from now on.
  virtual void end_portion() = 0;
  virtual void end_move() = 0;
  // The backlog from which messages of that queue and priority can be read again.
  virtual Backlog& backlog(QueueId queue, std::uint8_t priority) = 0;
  // Hands over a message that was stored in an earlier portion, or that a backlog has handed over,
  // and that has not left its queue. Returns false if it cannot be read; then the journal has
  // failed.
  virtual bool read(StoredId id, const Backlog::Take& take) = 0;

  // Whether the journal keeps up with what is appended. If not, publishers and dead letters should
  // wait.
  virtual bool keeps_up() const = 0;

  virtual LogPosition end() const = 0;
  virtual LogPosition durable() const = 0;
};

// The base of journals that are not bounded.
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

// Keeps nothing, for brokers without a data directory. Everything is "durable" at once.
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

// A queued message, as recovery found it.
struct RecoveredRef {
  QueueId queue = 0;
  bool redelivered = false;  // it was delivered, or may have been
  std::uint32_t delivery_count = 0;
};

// The clock by which the recovered messages are timed.
struct RecoveredClock {
  // The offset of the last set_clock_offset(); 0 if there was none.
  std::int64_t offset_ms = 0;
  // The latest engine time that was recorded; 0 if none was.
  TimeMs seen = 0;
};

// Receives what recovery found; the engine implements it. All definitions come first, then
// backlogs, then messages by rising position. Views are valid during the call only.
class Recovery {
 public:
  virtual ~Recovery() = default;
  virtual void exchange(const ExchangeDefinition& exchange) = 0;
  // `unused_since` is the time of the last set_unused_since(); 0 also if there was none.
  virtual void queue(const QueueDefinition& queue, TimeMs unused_since) = 0;
  virtual void binding(const BindingDefinition& binding) = 0;
  // The part of a queue that is on disk only. It is never empty.
  virtual void backlog(QueueId queue, std::uint8_t priority, Backlog& backlog) = 0;
  // `refs` has one element for each queue that still has the message. It is never empty, and all
  // queues are known.
  virtual void message(LogPosition position, const MessageView& message,
                       std::span<const RecoveredRef> refs) = 0;
};

}  // namespace haypile::engine
