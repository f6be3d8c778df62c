// What all queues of a vhost share.
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

// Outlives the queues.
struct QueueContext {
  Journal& journal;
  const PropertyCodec& property_codec;
  MemoryUse memory{};
  const MessagePtr absent = Message::make_absent(memory);
  // Of that memory, what is ready in queues and could leave memory.
  std::size_t movable_bytes = 0;
  Moves moves{};
  TimeMs now = 0;
  WorkBudget work{};
  Timers timers{};
  // What the queues have given up, for the engine, which passes it on.
  DeadLetters letters{};
  // What has to be added to `now` for the time on the wall.
  std::int64_t wall_offset_ms = 0;
  unsigned group_depth = 0;  // kept by Group
};

}  // namespace haypile::engine
