// An event that happens again and again, of which the log reports the beginning and the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace haypile::server {

// Counts the events of one kind and divides them into spells. The time is handed in.
class Spell {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // A spell is over when no event has happened for this long.
  static constexpr std::chrono::seconds quiet{10};

  // Counts one event. Returns true if it is the first in a new spell.
  bool count(Time now) {
    last_ = now;
    return count_++ == 0;
  }
  bool is_on() const { return count_ != 0; }
  // Ends the spell if it is over by now, and returns the number of its events.
  std::optional<std::uint64_t> take_ended(Time now) {
    if (count_ == 0 || now < last_ + quiet) return std::nullopt;
    return std::exchange(count_, 0);
  }

 private:
  std::uint64_t count_ = 0;
  Time last_{};
};

}  // namespace haypile::server
