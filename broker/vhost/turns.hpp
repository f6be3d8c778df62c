// Whose input is worked off when.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

#include "engine/engine.hpp"
#include "vhost/participant.hpp"

namespace haypile::vhost {

// A turn has a budget of work (engine/work.hpp). Whoever has used up its share of it, and whoever
// has something to read when the turn is used up, waits here for the next one, in which all get
// their turn one after the other; those for whom it is not enough are the first in the turn after
// that.
//
// Publishers wait in a line of their own while there is a backlog. No more than a little is read of
// them in a turn then, after the acknowledgements that have come, which make room for deliveries.
// Otherwise more would come in with each turn than go out, and the backlog would grow although its
// consumers had time to spare. Whoever publishes too fast is held back by its socket.
class Turns {
 public:
  // The engine outlives it.
  explicit Turns(engine::Engine& engine) : engine_(engine) {}

  // Whether somebody who has something to read should wait for the next turn.
  bool defers(bool publishes) const {
    return engine_.work().is_turn_used_up() || (publishes && defers_publishers());
  }
  // Gets its turn: Participant::read() will be called.
  void add(ParticipantPtr participant, bool publishes) {
    (publishes ? publishers_ : waiting_).push_back(std::move(participant));
  }
  void clear();
  bool has_waiting() const { return !waiting_.empty() || !publishers_.empty(); }

  // How much to read of somebody at a time, at most `size_max`: little if memory `is_tight`, and of
  // publishers while there is a backlog.
  std::size_t read_size(std::size_t size_max, bool publishes, bool is_tight) const {
    const bool is_little = is_tight || (publishes && has_backlog());
    return is_little ? std::min(size_max, publish_turn_bytes) : size_max;
  }
  // So much was read of a publisher.
  void count_published(std::size_t bytes) { published_bytes_ += bytes; }

  // A turn begins. `has_other_work`: others than participants need a share.
  void begin(bool has_other_work);
  // Those who wait go on, as far as the turn's budget goes.
  void run();

  // With so much ready in queues there is a backlog.
  static constexpr std::size_t backlog_bytes = 256u << 10;
  static constexpr std::size_t publish_turn_bytes = 16u << 10;

 private:
  bool has_backlog() const { return engine_.movable_bytes() > backlog_bytes; }
  bool defers_publishers() const {
    return !publishers_.empty() || (published_bytes_ >= publish_turn_bytes && has_backlog());
  }
  void give_turn(std::deque<ParticipantPtr>& from);

  engine::Engine& engine_;
  std::deque<ParticipantPtr> waiting_;
  std::deque<ParticipantPtr> publishers_;
  std::size_t published_bytes_ = 0;  // in this turn
};

}  // namespace haypile::vhost
