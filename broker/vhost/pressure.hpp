// When those who make a broker hold more have to wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "engine/engine.hpp"

namespace haypile::vhost {

struct PressureLimits {
  // More than that in memory, whatever it is held for.
  std::size_t memory_max_bytes = std::numeric_limits<std::size_t>::max();
  // What a channel may have in hand while memory is low, in messages.
  std::size_t unacked_max_when_low = 1000;
  // Where the limit of memory is passed by so much, whoever has anything in hand gets no more.
  std::size_t memory_beyond_max_bytes = 32u << 20;
  // The disk should have that much left.
  std::uint64_t disk_free_min_bytes = 0;
};

struct Alarms {
  bool is_memory_low = false;
  bool is_disk_low = false;
  bool operator==(const Alarms&) const = default;
};

// Publishers and declarers wait as long as anything is short; acknowledgements and heartbeats never
// do, commits only if the disk is full. Consumers wait only if memory is low and they have much in
// hand, until they have acknowledged some of it. An alarm stays until there is clearly more room
// than when it began, or publishers would be stopped and started in turns. Knows numbers only.
class Pressure {
 public:
  explicit Pressure(const PressureLimits& limits) : limits_(limits) {}

  void set_memory(std::size_t bytes);
  void set_log_behind(bool is_behind) { is_log_behind_ = is_behind; }
  // `uses_reserve`: the disk was full once, and what was set aside is not whole.
  void set_disk(bool uses_reserve, std::uint64_t free_bytes);

  bool holds_publishers() const {
    return alarms_.is_memory_low || alarms_.is_disk_low || is_log_behind_;
  }
  const Alarms& alarms() const { return alarms_; }
  // What a channel may have in hand.
  engine::UnackedMax unacked_max() const;
  // What clients are told of the alarm; empty if there is none.
  std::string_view alarm_text() const {
    return alarms_.is_memory_low ? "low on memory" : alarms_.is_disk_low ? "low on disk" : "";
  }
  const PressureLimits& limits() const { return limits_; }
  // Enough is free for the disk's alarm to end.
  bool has_room_again(std::uint64_t free_bytes) const {
    return free_bytes >= limits_.disk_free_min_bytes / 8 * 9;
  }

 private:
  const PressureLimits limits_;
  Alarms alarms_;
  bool is_memory_very_low_ = false;
  bool is_log_behind_ = false;
};

}  // namespace haypile::vhost
