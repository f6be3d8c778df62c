// A message in memory: once, shared by all queues it is in.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "engine/definitions.hpp"

namespace haypile::engine {

class MessagePtr;

// Immutable but for its position; head and bytes are one allocation. Counted without locks: a
// message belongs to the thread of its engine.
class Message {
 public:
  // Copies what `view` shows. Exchange and routing key are short strings (255 bytes at most).
  static MessagePtr make(const MessageView& view, LogPosition position);

  std::string_view exchange() const { return {bytes(), exchange_size_}; }
  std::string_view routing_key() const { return {bytes() + exchange_size_, routing_key_size_}; }
  std::string_view properties() const {
    return {bytes() + exchange_size_ + routing_key_size_, properties_size_};
  }
  std::string_view body() const {
    return {bytes() + exchange_size_ + routing_key_size_ + properties_size_, body_size_};
  }

  // Where the log has it; 0 when no log has.
  LogPosition position() const { return position_; }

 private:
  friend class MessagePtr;
  Message(const MessageView& view, LogPosition position);
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

  LogPosition position_;
  std::uint32_t references_ = 0;
  std::uint32_t properties_size_;
  std::uint64_t body_size_;
  std::uint8_t exchange_size_;
  std::uint8_t routing_key_size_;
};

// Shares ownership of a Message.
class MessagePtr {
 public:
  MessagePtr() = default;
  explicit MessagePtr(Message* message) : message_(message) {
    if (message_) ++message_->references_;
  }
  MessagePtr(const MessagePtr& other) : MessagePtr(other.message_) {}
  MessagePtr(MessagePtr&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessagePtr& operator=(MessagePtr other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessagePtr() {
    if (message_ && --message_->references_ == 0) destroy(message_);
  }

  const Message& operator*() const { return *message_; }
  const Message* operator->() const { return message_; }
  explicit operator bool() const { return message_ != nullptr; }

 private:
  static void destroy(Message* message);

  Message* message_ = nullptr;
};

// A message's place in one queue.
struct Entry {
  MessagePtr message;
  std::uint64_t place = 0;  // rises with each message of the queue; a requeue keeps it
  bool redelivered = false;
};

}  // namespace haypile::engine
