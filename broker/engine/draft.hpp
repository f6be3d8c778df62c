// A message whose body comes in pieces, put together in the place where it will stay.
#pragma once

#include <cstddef>
#include <string_view>

#include "engine/message.hpp"

namespace haypile::engine {

// Room for the whole message is taken, and counted, at the beginning: one that has begun can always
// be finished. Pages of it that nothing was written to cost nothing yet.
class Draft {
 public:
  // Copies what `head` shows but for its body, of which only `body_size` counts. Throws
  // std::bad_alloc.
  Draft(const MessageView& head, std::size_t body_size, const MessageTraits& traits,
        MemoryUse& memory);

  // No more than body_size bytes in all.
  void append(std::string_view piece);
  bool is_whole() const { return filled_ == kept_->body().size(); }
  const MessagePtr& message() const { return kept_; }
  // Once all of the body is there: the message as the engine keeps it.
  const MessagePtr& finish(LogPosition position, TimeMs published_at);

 private:
  Message* message_;
  MessagePtr kept_;
  std::size_t filled_ = 0;
};

}  // namespace haypile::engine
