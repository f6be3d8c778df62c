// Passes messages that queues have given up on to their dead-letter exchanges.
#pragma once

#include <cstdint>

#include "engine/dead_letters.hpp"
#include "engine/publisher.hpp"
#include "engine/queue_context.hpp"
#include "engine/topology.hpp"

namespace haypile::engine {

// Passes dead letters on. A queue puts a letter into the context's list; until the letter is passed
// on, the journal has the message in that queue. Passing one on may cause others, so that a call
// does a limited amount of work and leaves the rest for later turns. There is no recursion, however
// long a chain of queues is. Belongs to the engine's thread.
class DeadLettering {
 public:
  // All parameters must outlive the object.
  DeadLettering(Topology& topology, Publisher& publisher)
      : topology_(topology), publisher_(publisher), context_(topology.context()) {}

  // Passes on what the current call has caused, up to a limit. Every call of the engine does this
  // before it returns.
  void pass_on_fresh() {
    if (context_.letters.has_fresh()) pass_on_own();
  }
  // Passes on letters until `units` of work are done or the journal does not keep up.
  void pass_on(std::uint64_t units);
  // Whether pass_on() would do anything. Letters can safely wait while the journal does not keep
  // up.
  bool has_work_left() const { return !context_.letters.empty() && context_.journal.keeps_up(); }

  // The letters that were dropped because of limits since the last call.
  StoppedLetters take_stopped() { return limits_.take_stopped(); }

 private:
  void pass_on_own();
  void pass_on(DeadLetter& letter);
  void republish(const DeadLetter& letter);
  TimeMs wall_time() const { return context_.now + static_cast<TimeMs>(context_.wall_offset_ms); }

  Topology& topology_;
  Publisher& publisher_;
  QueueContext& context_;
  DeadLetterLimits limits_;
};

}  // namespace haypile::engine
