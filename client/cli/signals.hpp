// The signals that concern a worker.
#pragma once

#include <haypile/channel.hpp>

namespace haypile::cli {

// Counts SIGINT, SIGTERM and SIGHUP instead of letting them end the program, and wakes the channel
// that is consuming, also after SIGCHLD. There is one object at a time. Without it the signals end
// the program, which is right while there is nothing to finish.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The channel to wake from now on; null: none. It must be there until another one is set.
  static void wake(Channel* channel);
  // How often the user has asked for the end, since the program began.
  static int interrupt_count();
};

}  // namespace haypile::cli
