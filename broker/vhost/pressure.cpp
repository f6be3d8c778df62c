#include "vhost/pressure.hpp"

namespace haypile::vhost {

void Pressure::set_memory(std::size_t bytes) {
  if (bytes > limits_.memory_max_bytes) alarms_.is_memory_low = true;
  if (bytes < limits_.memory_max_bytes / 10 * 9) alarms_.is_memory_low = false;
  is_memory_very_low_ = bytes > limits_.memory_max_bytes &&
                        bytes - limits_.memory_max_bytes > limits_.memory_beyond_max_bytes;
}

engine::UnackedMax Pressure::unacked_max() const {
  if (!alarms_.is_memory_low) return {};
  if (!is_memory_very_low_) return {.to_consumers = limits_.unacked_max_when_low};
  return {.to_consumers = 1, .to_gets = 100};
}

void Pressure::set_disk(bool uses_reserve, std::uint64_t free_bytes) {
  if (uses_reserve || free_bytes < limits_.disk_free_min_bytes) {
    alarms_.is_disk_low = true;
  } else if (has_room_again(free_bytes)) {
    alarms_.is_disk_low = false;
  }
}

}  // namespace haypile::vhost
