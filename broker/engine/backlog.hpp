// Messages of a queue that have left memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

#include "engine/definitions.hpp"

namespace haypile::engine {

// A message in one queue that leaves the log, and mostly memory too.
struct MessageToStore {
  QueueId queue = 0;
  LogPosition position = 0;  // of the message; never 0
  std::uint8_t priority = 0;
  std::uint64_t place = 0;
  std::uint32_t delivery_count = 0;
  bool redelivered = false;
  // Somebody has it in hand: it is not to be read back unless by a recovery.
  bool stays_in_memory = false;
  bool is_timed = false;  // it has a time to live of its own
  // Other queues may have the message, too.
  bool is_shared = false;
  MessageView message;
};

// A message as it is read back; views are valid during the call only.
struct StoredMessage {
  StoredId id = 0;
  LogPosition position = 0;
  std::uint64_t place = 0;
  std::uint32_t delivery_count = 0;
  bool redelivered = false;
  bool is_timed = false;   // as it was stored
  bool is_shared = false;  // other queues may have the message, too
  MessageView message;
};

// What of a queue's messages of one priority is on disk only, in the order of their places. Costs
// no memory a message. Belongs to the journal, and lives until the queue is deleted.
class Backlog {
 public:
  using Take = std::function<void(const StoredMessage&)>;
  static constexpr std::uint64_t no_place = std::numeric_limits<std::uint64_t>::max();

  virtual ~Backlog() = default;
  // Not read yet, and still in the queue.
  virtual std::size_t unread_count() const = 0;
  // Of their bodies. Has to look at what an older version has stored.
  virtual std::size_t unread_bytes() = 0;
  // None of them has a lower place than this; no_place if there are none.
  virtual std::uint64_t next_place() const = 0;
  // At least that of every message there is or was.
  virtual std::uint64_t last_place() const = 0;
  // Whether the time when they came matters for any of them.
  virtual bool is_timed() const = 0;
  // Hands over the next few, which take about so many bytes; at least one if there are any, unless
  // they cannot be read: that is the end of the journal, and unread_count() is 0 from then on.
  // Places rise, but those that are left may have lower ones: next_place() says so.
  virtual void read(const Take& take, std::size_t bytes_max) = 0;
  // The same for the next one, or for all that is there; but nothing of it counts as read.
  virtual void peek(const Take& visit) = 0;
  virtual void look_at(const Take& visit) = 0;
  // All that has not been read has left the queue for good.
  virtual void drop_unread() = 0;
  // What has to hold between two calls, and does not; null if all is well.
  virtual const char* broken_invariant() const { return nullptr; }
};

}  // namespace haypile::engine
