// Memory that was freed, and is still the process's.
#pragma once

#include <cstddef>

#include "engine/timers.hpp"

namespace haypile::server {

// How much more the process has than what is counted as held, and whether that is worth giving
// back. Some of it cannot be: the program itself, pages of which a part is in use, what the program
// around an embedded broker has. That is known from the last time that all was given back that
// could be.
class Excess {
 public:
  bool is_worth_returning(std::size_t resident_bytes, std::size_t held_bytes) const {
    return excess(resident_bytes, held_bytes) > rest_bytes_ + worth_bytes;
  }
  // All was given back that could be.
  void note_rest(std::size_t resident_bytes, std::size_t held_bytes) {
    rest_bytes_ = excess(resident_bytes, held_bytes);
  }

  static constexpr std::size_t worth_bytes = 32u << 20;

 private:
  static std::size_t excess(std::size_t resident_bytes, std::size_t held_bytes) {
    return resident_bytes > held_bytes ? resident_bytes - held_bytes : 0;
  }

  std::size_t rest_bytes_ = 0;
};

// What the C library keeps when it is freed may be as much as there ever was, and where small
// pieces were, large ones find no room. So it is looked at now and then, and what is too much is
// given back to the system.
class MemoryReturn {
 public:
  MemoryReturn();
  ~MemoryReturn();
  MemoryReturn(const MemoryReturn&) = delete;
  MemoryReturn& operator=(const MemoryReturn&) = delete;

  // To be called whenever something was done, with the boot clock's time. Mostly does nothing.
  void look(engine::TimeMs now, std::size_t held_bytes);
  // When look() wants to be called at the latest, once more after the last time; no_deadline if
  // nothing was done since it had a look.
  engine::TimeMs next_look() const { return is_look_due_ ? next_look_ : engine::no_deadline; }

  static constexpr engine::TimeMs interval_ms = 100;

 private:
  // What the process has in memory; 0 if the system does not say.
  std::size_t resident_bytes() const;

  const int statm_;  // a descriptor, or -1
  Excess excess_;
  engine::TimeMs next_look_ = 0;
  bool is_look_due_ = false;
};

}  // namespace haypile::server
