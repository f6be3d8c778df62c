// How much is done in one turn of the loop that serves all clients.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace haypile::engine {

// One thread serves all connections of a virtual host, in turns, and nobody may wait long for what
// somebody else has asked for. So work is counted in units. A unit is about a microsecond: a queue
// visited, a binding matched, a dead letter passed on, a message returned to its queue, 4 KiB
// copied. Units do not depend on the machine's speed, so that the simulation sees the same turns.
//
// Each connection, and each kind of work that the engine does by itself, has a share of a turn.
// Whoever has used up its share goes on in the next turn. Belongs to the engine's thread.
class WorkBudget {
 public:
  static constexpr std::uint64_t units_per_turn = 20'000;
  // Everybody may do that much in a turn, however many there are.
  static constexpr std::uint64_t share_min = 200;

  // `waiting_count` is how many have been stopped in the turn before, and go on in this one.
  void begin_turn(std::size_t waiting_count) {
    share_ = std::max(turn_ / (waiting_count + 1), std::min(turn_, share_min));
    turn_end_ = spent_ + turn_;
    begin_share();
  }
  // From the next turn on.
  void set_units_per_turn(std::uint64_t units) { turn_ = units; }
  // From here on, what is done is charged to the next connection.
  void begin_share() { share_end_ = share_ == unlimited ? unlimited : spent_ + share_; }

  void spend(std::uint64_t units) { spent_ += units; }
  void spend(std::uint64_t units, std::size_t bytes) { spent_ += units + bytes / bytes_per_unit; }
  // Properties were decoded, and maybe put together again, which is more work than copying them.
  void spend_decoding(std::size_t bytes) { spent_ += bytes / decoded_bytes_per_unit; }
  void spend_bytes(std::size_t bytes) { spent_ += bytes / bytes_per_unit; }
  bool is_share_used_up() const { return spent_ >= share_end_; }
  // All together have done enough: whoever comes now should wait for the next turn.
  bool is_turn_used_up() const { return spent_ >= turn_end_; }
  // Whoever is at work now has left others more to do than they can keep up with.
  void use_up_share() {
    if (share_ != unlimited) share_end_ = std::min(share_end_, spent_);
  }
  // Since the beginning, in units.
  std::uint64_t spent() const { return spent_; }

 private:
  static constexpr std::size_t bytes_per_unit = 4096;
  static constexpr std::size_t decoded_bytes_per_unit = 256;
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t turn_ = units_per_turn;
  // Nothing is limited before the first turn begins: recovery, tests.
  std::uint64_t turn_end_ = unlimited;
  std::uint64_t share_ = unlimited;
  std::uint64_t share_end_ = unlimited;
  std::uint64_t spent_ = 0;
};

// So many units are for one kind of work.
class Portion {
 public:
  Portion(const WorkBudget& work, std::uint64_t units) : work_(work), end_(work.spent() + units) {}
  bool is_used_up() const { return work_.spent() >= end_; }

 private:
  const WorkBudget& work_;
  const std::uint64_t end_;
};

}  // namespace haypile::engine
