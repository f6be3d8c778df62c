// State that all queues of a virtual host share.
#pragma once

#include <cstdint>

#include "engine/dead_letters.hpp"
#include "engine/journal.hpp"
#include "engine/message.hpp"
#include "engine/moves.hpp"
#include "engine/property_codec.hpp"
#include "engine/timers.hpp"
#include "engine/work.hpp"

namespace haypile::engine {

// What queues need besides their own state. Must outlive them. Belongs to the engine's thread.
struct QueueContext {
  Journal& journal;
  const PropertyCodec& property_codec;
  MemoryUse memory{};
  const MessagePtr absent = Message::make_absent(memory);
  // The part of that memory that is ready in queues and could leave memory.
  std::size_t movable_bytes = 0;
  Moves moves{};
  TimeMs now = 0;
  WorkBudget work{};
  Timers timers{};
  // The messages that queues have given up. The engine passes them on.
  DeadLetters letters{};
  // The wall clock is `now` plus this.
  std::int64_t wall_offset_ms = 0;
  unsigned group_depth = 0;  // kept by Group
};

}  // namespace haypile::engine
