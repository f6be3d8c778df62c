// Decides whose input is handled when.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

#include "engine/engine.hpp"
#include "vhost/participant.hpp"

namespace haypile::vhost {

// The participants that wait for the next turn. A turn has a budget of work (engine/work.hpp). A
// participant that has used up its share of it waits here, and so does one that has something to
// read when the turn is used up. In the next turn they continue one after the other; those for
// which that turn is not long enough are the first in the turn after it.
//
// Publishers wait in a separate line while there is a backlog of ready messages. Then only a little
// is read from them in a turn, after the acknowledgements that have come, which make room for
// deliveries. Otherwise more would come in with each turn than goes out, and the backlog would grow
// although consumers have time to spare. A publisher that is too fast is stopped by its full
// socket.
class Turns {
 public:
  // The engine must outlive the turns.
  explicit Turns(engine::Engine& engine) : engine_(engine) {}

  // Whether a participant that has something to read should wait for the next turn.
  bool defers(bool publishes) const {
    return engine_.work().is_turn_used_up() || (publishes && defers_publishers());
  }
  // Lets the participant wait; Participant::read() will be called.
  void add(ParticipantPtr participant, bool publishes) {
    (publishes ? publishers_ : waiting_).push_back(std::move(participant));
  }
  void clear();
  bool has_waiting() const { return !waiting_.empty() || !publishers_.empty(); }

  // How much to read from a participant at a time, at most `size_max` bytes: little if memory
  // `is_tight`, and from publishers while there is a backlog.
  std::size_t read_size(std::size_t size_max, bool publishes, bool is_tight) const {
    const bool is_little = is_tight || (publishes && has_backlog());
    return is_little ? std::min(size_max, publish_turn_bytes) : size_max;
  }
  // Counts bytes that were just read from a publisher.
  void count_published(std::size_t bytes) { published_bytes_ += bytes; }

  // Begins a turn. `has_other_work`: the engine's own work needs a share, too.
  void begin(bool has_other_work);
  // Calls read() for those that wait, as far as the turn's budget allows.
  void run();

  // If more than this is ready in queues, there is a backlog.
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
  std::size_t published_bytes_ = 0;  // published in this turn
};

}  // namespace haypile::vhost
