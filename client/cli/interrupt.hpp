// Ctrl+C while messages are sent.
#pragma once

#include <cstdint>

namespace haypile::cli {

// The first SIGINT or SIGTERM is a request to end soon. A second one, or `patience` seconds, end
// the program at once with exit code 130, and with a line that says how many messages are
// confirmed at least: a broker that takes no messages must not keep it. There is one object at a
// time.
class Interrupt {
 public:
  explicit Interrupt(unsigned patience_s = 3);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  static bool is_requested();
  // Waits until the descriptor can be read, but no longer than until a request. Returns whether it
  // can be read.
  static bool wait_readable(int descriptor);
  static bool is_readable(int descriptor);

  // For the line at the end.
  static void set_confirmed_count(std::uint64_t count);
};

}  // namespace haypile::cli
