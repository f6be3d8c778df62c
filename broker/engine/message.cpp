#include "engine/message.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>

namespace haypile::engine {

namespace {

char* copy(char* to, std::string_view from) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
  return to + from.size();
}

}  // namespace

Message::Message(const MessageView& view, const MessageTraits& traits, LogPosition position,
                 MemoryUse& memory)
    : memory_(memory),
      position_(position),
      published_at_(view.published_at),
      ttl_ms_(traits.ttl_ms),
      body_size_(static_cast<std::uint32_t>(view.body.size())),
      properties_size_(static_cast<std::uint32_t>(view.properties.size())),
      exchange_size_(static_cast<std::uint8_t>(view.exchange.size())),
      routing_key_size_(static_cast<std::uint8_t>(view.routing_key.size())),
      priority_(traits.priority) {
  assert(view.exchange.size() <= 255 && view.routing_key.size() <= 255);
  assert(std::max(view.properties.size(), view.body.size()) <=
         std::numeric_limits<std::uint32_t>::max());
  char* to = copy(bytes(), view.exchange);
  to = copy(to, view.routing_key);
  to = copy(to, view.properties);
  copy(to, view.body);
}

MessagePtr Message::make(const MessageView& view, const MessageTraits& traits, LogPosition position,
                         MemoryUse& memory) {
  const std::size_t payload =
      view.exchange.size() + view.routing_key.size() + view.properties.size() + view.body.size();
  void* place = memory.pool.take(sizeof(Message) + payload);
  memory.bytes += sizeof(Message) + payload;
  return MessagePtr(new (place) Message(view, traits, position, memory));
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

void MessagePtr::destroy(Message* message) {
  MemoryUse& memory = message->memory_;
  if (message->is_known_) memory.shared.erase(message->position_);
  const std::size_t size = message->size();
  message->~Message();
  memory.bytes -= size;
  memory.pool.give(message, size);
}

}  // namespace haypile::engine
