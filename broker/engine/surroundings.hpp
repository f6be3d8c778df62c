// What all queues of a vhost share.
#pragma once

#include <vector>

#include "engine/journal.hpp"
#include "engine/message.hpp"
#include "engine/timers.hpp"
#include "engine/wire.hpp"
#include "engine/work.hpp"

namespace haypile::engine {

// A message that its queue has given up, and that goes to the queue's dead-letter exchange. Until
// then the journal has it in that queue.
struct DeadLetter {
  Queue* queue = nullptr;
  Entry entry;
  DeathReason reason = DeathReason::rejected;
};

// Outlives the queues.
struct Surroundings {
  Journal& journal;
  const Wire& wire;
  MemoryUse memory{};
  // Of that, what is ready in queues and could leave memory.
  std::size_t movable_bytes = 0;
  TimeMs now = 0;
  WorkBudget work{};
  Timers timers{};
  // Left by the queues for the engine, which takes them up before it returns to its caller.
  std::vector<DeadLetter> dead_letters{};
};

}  // namespace haypile::engine
