// A message whose body comes in pieces, which are put together where the message will stay.
#pragma once

#include <cstddef>
#include <string_view>

#include "engine/message.hpp"

namespace haypile::engine {

// Collects the body of one message. Memory for the whole message is taken, and counted, at the
// beginning, so that a message that has begun can always be finished. Pages that were not written
// yet use no physical memory.
class Draft {
 public:
  // Copies everything in `head` except its body; the body will have `body_size` bytes. Throws
  // std::bad_alloc.
  Draft(const MessageView& head, std::size_t body_size, const MessageTraits& traits,
        MemoryUse& memory);

  // Adds a piece. All pieces together must have at most `body_size` bytes.
  void append(std::string_view piece);
  bool is_whole() const { return filled_ == kept_->body().size(); }
  const MessagePtr& message() const { return kept_; }
  // Returns the finished message. Call this when the whole body is there.
  const MessagePtr& finish(LogPosition position, TimeMs published_at);

 private:
  Message* message_;
  MessagePtr kept_;
  std::size_t filled_ = 0;
};

}  // namespace haypile::engine
