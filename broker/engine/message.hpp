// A message in memory, which all queues that have it share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "engine/definitions.hpp"
#include "engine/message_pool.hpp"

namespace haypile::engine {

class MessagePtr;

// The properties of a message that the engine uses.
struct MessageTraits {
  bool persistent = false;
  std::uint8_t priority = 0;
  std::uint64_t ttl_ms = no_ttl;  // the property `expiration`

  static constexpr std::uint64_t no_ttl = std::numeric_limits<std::uint64_t>::max();
};

// The times that decide when a message expires.
struct MessageTimes {
  TimeMs published_at = 0;
  TimeMs expires_at = 0;  // by its own `expiration`; the largest value if it has none
};

class Message;

// The memory that a virtual host uses, and the pool for its messages. Must outlive them.
struct MemoryUse {
  std::size_t bytes = 0;             // messages, and what refers to them
  std::size_t definition_bytes = 0;  // queues, exchanges, bindings, consumers, channels
  MessagePool pool{};
  // Messages that were read back from disk and that several queues may have, by position.
  std::unordered_map<LogPosition, Message*> shared{};
};

// Counts the memory of something that is not a message, as long as the object exists.
class MemoryShare {
 public:
  MemoryShare() = default;
  MemoryShare(MemoryUse& memory, std::size_t bytes) : memory_(&memory), bytes_(bytes) {
    memory.definition_bytes += bytes;
  }
  MemoryShare(MemoryShare&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
  MemoryShare& operator=(MemoryShare other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryShare() {
    if (memory_) memory_->definition_bytes -= bytes_;
  }

 private:
  MemoryUse* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

// One message: exchange, routing key, properties and body in one allocation. It never changes,
// except while a Draft fills it. References are counted without locks: a message belongs to the
// thread of its engine.
class Message {
 public:
  // Copies what `view` shows. Exchange and routing key have at most 255 bytes each, properties and
  // body less than 4 GiB each.
  static MessagePtr make(const MessageView& view, const MessageTraits& traits, LogPosition position,
                         MemoryUse& memory);

  // Makes a message that was read back from disk and that several queues may have. If it is in
  // memory already, returns that one.
  static MessagePtr make_shared(const MessageView& view, const MessageTraits& traits,
                                LogPosition position, MemoryUse& memory);

  // The message that stands for all absent ones: those that are only on disk. It is empty, and does
  // not count as memory.
  static MessagePtr make_absent(MemoryUse& memory);
  bool is_absent() const { return position_ == absent_position; }

  std::string_view exchange() const { return {bytes(), exchange_size_}; }
  std::string_view routing_key() const { return {bytes() + exchange_size_, routing_key_size_}; }
  std::string_view properties() const {
    return {bytes() + exchange_size_ + routing_key_size_, properties_size_};
  }
  std::string_view body() const {
    return {bytes() + exchange_size_ + routing_key_size_ + properties_size_, body_size_};
  }

  MessageView view() const {
    return {exchange(), routing_key(), properties(), body(), published_at_};
  }

  std::size_t payload_size() const {
    return exchange_size_ + routing_key_size_ + properties_size_ + body_size_;
  }
  // Its memory, in bytes.
  std::size_t size() const { return sizeof(Message) + payload_size(); }

  // The position in the log that names the message, also after it has left the log. 0: it was never
  // logged.
  LogPosition position() const { return position_; }
  TimeMs published_at() const { return published_at_; }
  std::uint8_t priority() const { return priority_; }
  bool has_ttl() const { return ttl_ms_ != MessageTraits::no_ttl; }
  TimeMs expires_at() const {
    return has_ttl() ? published_at_ + ttl_ms_ : std::numeric_limits<TimeMs>::max();
  }
  MessageTimes times() const { return {published_at_, expires_at()}; }

  // Count the queues in which the message is ready and could leave memory. They return true when
  // the first one is added, and when the last one is removed.
  bool add_movable() const { return movable_count_++ == 0; }
  bool remove_movable() const { return --movable_count_ == 0; }

 private:
  friend class Draft;
  friend class MessagePtr;
  static constexpr LogPosition absent_position = std::numeric_limits<LogPosition>::max();

  // Copies everything except the body.
  Message(const MessageView& head, std::size_t body_size, const MessageTraits& traits,
          LogPosition position, MemoryUse& memory);
  // Makes a message whose body has yet to be written.
  static Message* make_head(const MessageView& head, std::size_t body_size,
                            const MessageTraits& traits, LogPosition position, MemoryUse& memory);
  char* body_place() { return bytes() + exchange_size_ + routing_key_size_ + properties_size_; }
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

  MemoryUse& memory_;
  LogPosition position_;
  TimeMs published_at_;
  std::uint64_t ttl_ms_;
  std::uint32_t body_size_;
  std::uint32_t references_ = 0;
  std::uint32_t properties_size_;
  std::uint8_t exchange_size_;
  std::uint8_t routing_key_size_;
  std::uint8_t priority_;
  bool is_known_ = false;  // whether it is in `memory_.shared`
  mutable std::uint32_t movable_count_ = 0;
};

// Shares ownership of a Message. Each MessagePtr counts as memory, wherever it is: in a queue,
// unacked, in a dead letter, in output that waits. So the memory that is counted is the memory that
// is held.
class MessagePtr {
 public:
  // The size of the largest entry that contains one, an entry of Unacked, and a third more for the
  // spare room of containers.
  static constexpr std::size_t entry_bytes = 64;

  MessagePtr() = default;
  explicit MessagePtr(Message* message) : message_(message) {
    if (!message_) return;
    ++message_->references_;
    message_->memory_.bytes += entry_bytes;
  }
  MessagePtr(const MessagePtr& other) : MessagePtr(other.message_) {}
  MessagePtr(MessagePtr&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessagePtr& operator=(MessagePtr other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessagePtr() {
    if (!message_) return;
    message_->memory_.bytes -= entry_bytes;
    if (--message_->references_ == 0) destroy(message_);
  }

  const Message& operator*() const { return *message_; }
  const Message* operator->() const { return message_; }
  explicit operator bool() const { return message_ != nullptr; }
  // Whether no other MessagePtr has the message.
  bool is_only_one() const { return message_->references_ == 1; }

 private:
  friend class Message;
  static void destroy(Message* message);

  Message* message_ = nullptr;
};

// A queued message: one message in one queue.
struct QueuedMessage {
  MessagePtr message{};           // the absent message if it has left memory
  std::uint64_t place = 0;        // order in the queue; a requeue keeps it
  StoredId stored = 0;            // 0 until it has left the log
  std::uint32_t absent_size = 0;  // size of the body if the message is absent
  // How often it came back, at most delivery_count_max. Kept by queues that count deliveries.
  std::uint16_t delivery_count = 0;
  std::uint8_t absent_level = 0;  // its level if the message is absent
  bool redelivered = false;

  static constexpr std::uint32_t delivery_count_max = std::numeric_limits<std::uint16_t>::max();

  void set_delivery_count(std::uint32_t count) {
    delivery_count = static_cast<std::uint16_t>(std::min(count, delivery_count_max));
  }
  std::size_t body_size() const {
    return message->is_absent() ? absent_size : message->body().size();
  }
  // Whether the journal has, or had, the message.
  bool is_logged() const { return message->position() != 0; }
};

}  // namespace haypile::engine
