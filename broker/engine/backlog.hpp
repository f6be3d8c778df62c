// Messages of a queue that have left memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

#include "engine/definitions.hpp"

namespace haypile::engine {

// A queued message that leaves the log, and mostly memory too.
struct MessageToStore {
  QueueId queue = 0;
  LogPosition position = 0;  // of the message; never 0
  std::uint8_t priority = 0;
  std::uint64_t place = 0;
  std::uint32_t delivery_count = 0;
  bool redelivered = false;
  // A client has it: it is not read from the backlog, except by a recovery.
  bool stays_in_memory = false;
  bool is_timed = false;  // it has a time to live of its own
  // Other queues may have the message too.
  bool is_shared = false;
  MessageView message;
};

// A queued message as it is read back. Views are valid during the call only.
struct StoredMessage {
  StoredId id = 0;
  LogPosition position = 0;
  std::uint64_t place = 0;
  std::uint32_t delivery_count = 0;
  bool redelivered = false;
  bool is_timed = false;   // as it was stored
  bool is_shared = false;  // other queues may have the message too
  MessageView message;
};

// Gives back a queue's messages of one priority that are on disk only, in the order of their
// places. Takes no memory per message. Belongs to the journal, and exists until the queue is
// deleted.
class Backlog {
 public:
  using Take = std::function<void(const StoredMessage&)>;
  static constexpr std::uint64_t no_place = std::numeric_limits<std::uint64_t>::max();

  virtual ~Backlog() = default;
  // The number of messages that have not been read yet and are still in the queue.
  virtual std::size_t unread_count() const = 0;
  // The size of their bodies, in bytes. Reads them if their sizes were not recorded (by an older
  // version).
  virtual std::size_t unread_bytes() = 0;
  // A place that no unread message is below; no_place if there are none.
  virtual std::uint64_t next_place() const = 0;
  // A place that is at least that of every message there is or was.
  virtual std::uint64_t last_place() const = 0;
  // Whether any of them needs the time when it was published.
  virtual bool is_timed() const = 0;
  // Hands over the next messages, about `bytes_max` bytes of them, at least one if there are any.
  // If they cannot be read, the journal has failed, and unread_count() is 0 from then on. Places
  // rise within a call, but messages that are left may have lower ones: next_place() says so.
  virtual void read(const Take& take, std::size_t bytes_max) = 0;
  // Show the next message, or all unread ones, in the same way. None of them counts as read.
  virtual void peek(const Take& visit) = 0;
  virtual void look_at(const Take& visit) = 0;
  // All unread messages have left the queue for good.
  virtual void drop_unread() = 0;
  // Names an invariant that does not hold between two calls; null if all hold.
  virtual const char* broken_invariant() const { return nullptr; }
};

}  // namespace haypile::engine
