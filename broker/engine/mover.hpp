// Lets old messages leave the log and memory.
#pragma once

#include <cstddef>
#include <limits>

#include "engine/queue_context.hpp"
#include "engine/subscription_registry.hpp"

namespace haypile::engine {

// Moves old messages out of the log and of memory. The journal says when it needs room, and up to
// which position messages have to leave it. A move stores them, a share of a turn at a time: first
// the ready ones in queues, then the unacked ones. Other calls to the engine come in between. The
// mover keeps the order of the journal's calls: begin_move(); then, in each turn, store() and
// end_portion(); then end_move().
//
// Belongs to the engine's thread.
class Mover {
 public:
  // All parameters must outlive the object.
  Mover(QueueContext& context, SubscriptionRegistry& registry)
      : context_(context), registry_(registry) {}

  // Begins a move if one is needed, or continues the current one. Not to be called while a group is
  // open. Returns true if there was anything to do.
  bool run();
  bool is_moving() const { return context_.moves.boundary != 0; }
  // The time at which run() should be called next; no_deadline if there is no move.
  TimeMs next_deadline() const {
    if (!is_moving()) return no_deadline;
    return context_.now + (context_.journal.takes_more() ? 0 : 1);
  }
  void set_movable_max_bytes(std::size_t bytes) { movable_max_bytes_ = bytes; }
  void set_held_max_bytes(std::size_t bytes) { held_max_bytes_ = bytes; }

 private:
  std::size_t held_bytes() const;
  bool holds_more();
  void continue_move();
  bool move_unacked(std::size_t& messages_left);

  QueueContext& context_;
  SubscriptionRegistry& registry_;
  std::size_t movable_max_bytes_ = 8u << 20;
  std::size_t held_max_bytes_ = std::numeric_limits<std::size_t>::max();
  std::size_t least_held_bytes_ = 0;  // since the last move
};

}  // namespace haypile::engine
