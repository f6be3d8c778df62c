// A connection, as its virtual host sees it.
#pragma once

#include <memory>
#include <string_view>

namespace haypile::vhost {

// Somebody whose input a virtual host works off, in turns with others. All calls come out of calls
// to the virtual host, on its thread.
class Participant {
 public:
  virtual ~Participant() = default;
  // Its turn has come, which it had to wait for: works off what it has been given, or reads more.
  virtual void read() = 0;
  // It was paused, and what it waits for may have come. False: it goes on waiting.
  virtual bool try_to_resume() = 0;
  // It is paused, and an alarm has begun: what its client is told.
  virtual void tell_alarm(std::string_view text) = 0;
  // It is paused: has a look whether its client is still there.
  virtual void check_peer() = 0;
  // The log is durable further than before.
  virtual void log_advanced() = 0;
  // Nothing of the above means anything to it any more.
  virtual bool has_gone() const = 0;
};

using ParticipantPtr = std::shared_ptr<Participant>;

}  // namespace haypile::vhost
