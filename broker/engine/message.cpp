#include "engine/message.hpp"

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

Message::Message(const MessageView& view, LogPosition position)
    : position_(position),
      properties_size_(static_cast<std::uint32_t>(view.properties.size())),
      body_size_(view.body.size()),
      exchange_size_(static_cast<std::uint8_t>(view.exchange.size())),
      routing_key_size_(static_cast<std::uint8_t>(view.routing_key.size())) {
  assert(view.exchange.size() <= 255 && view.routing_key.size() <= 255);
  assert(view.properties.size() <= std::numeric_limits<std::uint32_t>::max());
  char* to = copy(bytes(), view.exchange);
  to = copy(to, view.routing_key);
  to = copy(to, view.properties);
  copy(to, view.body);
}

MessagePtr Message::make(const MessageView& view, LogPosition position) {
  const std::size_t payload =
      view.exchange.size() + view.routing_key.size() + view.properties.size() + view.body.size();
  void* place = ::operator new(sizeof(Message) + payload);
  return MessagePtr(new (place) Message(view, position));
}

void MessagePtr::destroy(Message* message) {
  message->~Message();
  ::operator delete(message);
}

}  // namespace haypile::engine
