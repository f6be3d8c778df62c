// Limits how much is done in one turn of the loop that serves all clients.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace haypile::engine {

// Counts work in units and divides turns among those who have work. One thread serves all
// connections of a virtual host, in turns, and nobody may wait long for what somebody else has
// asked for. A unit is about a microsecond: a queue visited, a binding matched, a dead letter
// passed on, a message returned to its queue, 4 KiB copied. Units do not depend on the machine's
// speed, so that the simulation sees the same turns.
//
// Each connection, and each kind of work that the engine does by itself, has a share of a turn. If
// its share is used up, it continues in the next turn. Belongs to the engine's thread.
class WorkBudget {
 public:
  static constexpr std::uint64_t units_per_turn = 20'000;
  // The smallest share, however many connections have work.
  static constexpr std::uint64_t share_min = 200;

  // `waiting_count` is the number of connections that were stopped in the turn before and continue
  // in this one.
  void begin_turn(std::size_t waiting_count) {
    share_ = std::max(turn_ / (waiting_count + 1), std::min(turn_, share_min));
    turn_end_ = spent_ + turn_;
    begin_share();
  }
  // Counts from the next turn on.
  void set_units_per_turn(std::uint64_t units) { turn_ = units; }
  // Begins the share of the next connection.
  void begin_share() { share_end_ = share_ == unlimited ? unlimited : spent_ + share_; }

  void spend(std::uint64_t units) { spent_ += units; }
  void spend(std::uint64_t units, std::size_t bytes) { spent_ += units + bytes / bytes_per_unit; }
  // Counts the decoding of properties, which is more work than copying them.
  void spend_decoding(std::size_t bytes) { spent_ += bytes / decoded_bytes_per_unit; }
  void spend_bytes(std::size_t bytes) { spent_ += bytes / bytes_per_unit; }
  bool is_share_used_up() const { return spent_ >= share_end_; }
  // Whether all together have done enough. Other work should wait for the next turn.
  bool is_turn_used_up() const { return spent_ >= turn_end_; }
  // Ends the share at hand, because its work has left more to do for others than they can do soon.
  void use_up_share() {
    if (share_ != unlimited) share_end_ = std::min(share_end_, spent_);
  }
  // The units since the beginning.
  std::uint64_t spent() const { return spent_; }

 private:
  static constexpr std::size_t bytes_per_unit = 4096;
  static constexpr std::size_t decoded_bytes_per_unit = 256;
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t turn_ = units_per_turn;
  // Before the first turn begins nothing is limited (recovery, tests).
  std::uint64_t turn_end_ = unlimited;
  std::uint64_t share_ = unlimited;
  std::uint64_t share_end_ = unlimited;
  std::uint64_t spent_ = 0;
};

// A number of units for one kind of work.
class Portion {
 public:
  Portion(const WorkBudget& work, std::uint64_t units) : work_(work), end_(work.spent() + units) {}
  bool is_used_up() const { return work_.spent() >= end_; }

 private:
  const WorkBudget& work_;
  const std::uint64_t end_;
};

}  // namespace haypile::engine
