#include "engine/message.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>

#include "engine/draft.hpp"

namespace haypile::engine {

namespace {

char* copy(char* to, std::string_view from) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
  return to + from.size();
}

}  // namespace

Message::Message(const MessageView& head, std::size_t body_size, const MessageTraits& traits,
                 LogPosition position, MemoryUse& memory)
    : memory_(memory),
      position_(position),
      published_at_(head.published_at),
      ttl_ms_(traits.ttl_ms),
      body_size_(static_cast<std::uint32_t>(body_size)),
      properties_size_(static_cast<std::uint32_t>(head.properties.size())),
      exchange_size_(static_cast<std::uint8_t>(head.exchange.size())),
      routing_key_size_(static_cast<std::uint8_t>(head.routing_key.size())),
      priority_(traits.priority) {
  assert(head.exchange.size() <= 255 && head.routing_key.size() <= 255);
  assert(std::max(head.properties.size(), body_size) <= std::numeric_limits<std::uint32_t>::max());
  char* to = copy(bytes(), head.exchange);
  to = copy(to, head.routing_key);
  copy(to, head.properties);
}

Message* Message::make_head(const MessageView& head, std::size_t body_size,
                            const MessageTraits& traits, LogPosition position, MemoryUse& memory) {
  const std::size_t payload =
      head.exchange.size() + head.routing_key.size() + head.properties.size() + body_size;
  void* place = memory.pool.take(sizeof(Message) + payload);
  memory.bytes += sizeof(Message) + payload;
  return new (place) Message(head, body_size, traits, position, memory);
}

MessagePtr Message::make(const MessageView& view, const MessageTraits& traits, LogPosition position,
                         MemoryUse& memory) {
  Message* message = make_head(view, view.body.size(), traits, position, memory);
  copy(message->body_place(), view.body);
  return MessagePtr(message);
}

Draft::Draft(const MessageView& head, std::size_t body_size, const MessageTraits& traits,
             MemoryUse& memory)
    : message_(Message::make_head(head, body_size, traits, 0, memory)), kept_(message_) {}

void Draft::append(std::string_view piece) {
  assert(piece.size() <= message_->body_size_ - filled_);
  copy(message_->body_place() + filled_, piece);
  filled_ += piece.size();
}

const MessagePtr& Draft::finish(LogPosition position, TimeMs published_at) {
  assert(filled_ == message_->body_size_);
  message_->position_ = position;
  message_->published_at_ = published_at;
  return kept_;
}

MessagePtr Message::make_shared(const MessageView& view, const MessageTraits& traits,
                                LogPosition position, MemoryUse& memory) {
  const auto found = memory.shared.find(position);
  if (found != memory.shared.end()) return MessagePtr(found->second);
  MessagePtr message = make(view, traits, position, memory);
  message.message_->is_known_ = true;
  memory.shared.emplace(position, message.message_);
  return message;
}

MessagePtr Message::make_absent(MemoryUse& memory) {
  MessagePtr message = make({}, {}, absent_position, memory);
  memory.bytes -= message->size() + MessagePtr::entry_bytes;
  return message;
}

void MessagePtr::destroy(Message* message) {
  MemoryUse& memory = message->memory_;
  if (message->is_known_) memory.shared.erase(message->position_);
  const std::size_t size = message->size();
  message->~Message();
  memory.bytes -= size;
  memory.pool.give(message, size);
}

}  // namespace haypile::engine
