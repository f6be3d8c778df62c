// Returns memory to the system that was freed but is still the process's.
#pragma once

#include <cstddef>

#include "engine/timers.hpp"

namespace haypile::server {

// Compares the memory that the process has with what is counted as held, and tells whether the
// difference is worth returning. Some of it cannot be returned: the program itself, pages of which
// a part is in use, the memory of the program around an embedded broker. How much that is was
// measured when memory was last returned.
class Excess {
 public:
  bool is_worth_returning(std::size_t resident_bytes, std::size_t held_bytes) const {
    return excess(resident_bytes, held_bytes) > rest_bytes_ + worth_bytes;
  }
  // Call this after everything was returned that can be.
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

// Returns freed memory to the system. What the C library keeps after it is freed may be as much as
// there ever was, and there is no room for large blocks where small ones were. So this looks at it
// now and then, and returns what is too much.
class MemoryReturn {
 public:
  MemoryReturn();
  ~MemoryReturn();
  MemoryReturn(const MemoryReturn&) = delete;
  MemoryReturn& operator=(const MemoryReturn&) = delete;

  // Call this whenever something was done, with the time of the boot clock. Usually it does
  // nothing.
  void look(engine::TimeMs now, std::size_t held_bytes);
  // When look() has to be called at the latest; no_deadline if nothing was done since its last
  // look.
  engine::TimeMs next_look() const { return is_look_due_ ? next_look_ : engine::no_deadline; }

  static constexpr engine::TimeMs interval_ms = 100;

 private:
  // The memory of the process in bytes; 0 if the system does not tell.
  std::size_t resident_bytes() const;

  const int statm_;  // the descriptor of /proc/self/statm; -1: not open
  Excess excess_;
  engine::TimeMs next_look_ = 0;
  bool is_look_due_ = false;
};

}  // namespace haypile::server
