// When clients that make a broker hold more have to wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "engine/engine.hpp"

namespace haypile::vhost {

// The limits of memory and disk.
struct PressureLimits {
  // The most that may be in memory, whatever it is held for.
  std::size_t memory_max_bytes = std::numeric_limits<std::size_t>::max();
  // The unacked messages that a channel may have while memory is low.
  std::size_t unacked_max_when_low = 1000;
  // If memory is above its limit by more than this, a channel that has any unacked message gets no
  // more.
  std::size_t memory_beyond_max_bytes = 32u << 20;
  // The free space that the disk should have.
  std::uint64_t disk_free_min_bytes = 0;
};

// What is short: clients are told of these alarms, and the broker's log is, too.
struct Alarms {
  bool is_memory_low = false;
  bool is_disk_low = false;
  bool operator==(const Alarms&) const = default;
};

// Decides when publishers and declarers have to wait: as long as memory, disk or the log is short.
// Acknowledgements and heartbeats never wait, commits only if the disk is full. Consumers wait only
// if memory is low and they have many unacked messages, until they have acknowledged some. An alarm
// ends only when there is clearly more room than when it began; otherwise publishers would be
// stopped and started all the time. It knows numbers only.
class Pressure {
 public:
  explicit Pressure(const PressureLimits& limits) : limits_(limits) {}

  void set_memory(std::size_t bytes);
  void set_log_behind(bool is_behind) { is_log_behind_ = is_behind; }
  // `uses_reserve`: the disk was full once, and the log's reserve is not complete again.
  void set_disk(bool uses_reserve, std::uint64_t free_bytes);

  bool holds_publishers() const {
    return alarms_.is_memory_low || alarms_.is_disk_low || is_log_behind_;
  }
  const Alarms& alarms() const { return alarms_; }
  // The unacked messages that a channel may have now.
  engine::UnackedMax unacked_max() const;
  // The text of the alarm for clients; empty if there is none.
  std::string_view alarm_text() const {
    return alarms_.is_memory_low ? "low on memory" : alarms_.is_disk_low ? "low on disk" : "";
  }
  const PressureLimits& limits() const { return limits_; }
  // Whether enough is free for the disk alarm to end.
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
