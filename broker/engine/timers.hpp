// The deadlines at which queues want to be called.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <tuple>

#include "engine/definitions.hpp"

namespace haypile::engine {

class Queue;

inline constexpr TimeMs no_deadline = std::numeric_limits<TimeMs>::max();

// A queue's deadline. The queue keeps it.
struct Timer {
  TimeMs deadline = no_deadline;
  std::uint64_t turn = 0;
};

// Holds at most one deadline for each queue. Queues with the same deadline come in the order in
// which they were armed.
class Timers {
 public:
  // Sets the queue's deadline if it is earlier than the one that is set. A later one changes
  // nothing: a queue that is called too early arms again.
  void arm(Queue& queue, Timer& timer, TimeMs deadline) {
    if (deadline >= timer.deadline) return;
    disarm(queue, timer);
    timer = {deadline, ++turns_};
    entries_.emplace(timer.deadline, timer.turn, &queue);
  }
  void disarm(Queue& queue, Timer& timer) {
    if (timer.deadline == no_deadline) return;
    entries_.erase({timer.deadline, timer.turn, &queue});
    timer = {};
  }

  TimeMs next_deadline() const {
    return entries_.empty() ? no_deadline : std::get<0>(*entries_.begin());
  }
  // The first queue that is due, which stays armed; null if there is none.
  Queue* due(TimeMs now) const {
    return next_deadline() <= now ? std::get<2>(*entries_.begin()) : nullptr;
  }

 private:
  std::set<std::tuple<TimeMs, std::uint64_t, Queue*>> entries_;
  std::uint64_t turns_ = 0;
};

}  // namespace haypile::engine
