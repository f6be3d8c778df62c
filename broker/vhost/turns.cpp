#include "vhost/turns.hpp"

#include <utility>

namespace haypile::vhost {

void Turns::begin(bool has_other_work) {
  engine_.work().begin_turn(waiting_.size() + publishers_.size() + (has_other_work ? 1 : 0));
}

void Turns::run() {
  // A participant that has to wait again does so behind those that wait now.
  for (std::size_t left = waiting_.size(); left > 0 && !waiting_.empty(); --left) {
    if (engine_.work().is_turn_used_up()) break;
    give_turn(waiting_);
  }
  // At least one publisher is read in each turn, because others may use up turn after turn.
  bool is_first = true;
  for (std::size_t left = publishers_.size(); left > 0 && !publishers_.empty(); --left) {
    const bool is_enough = published_bytes_ >= publish_turn_bytes && has_backlog();
    if (!std::exchange(is_first, false) && (is_enough || engine_.work().is_turn_used_up())) break;
    give_turn(publishers_);
  }
  published_bytes_ = 0;
}

void Turns::clear() {
  waiting_.clear();
  publishers_.clear();
}

void Turns::give_turn(std::deque<ParticipantPtr>& from) {
  const ParticipantPtr participant = std::move(from.front());
  from.pop_front();
  engine_.work().begin_share();
  participant->read();
}

}  // namespace haypile::vhost
