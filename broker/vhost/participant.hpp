// A connection, as its virtual host sees it.
#pragma once

#include <memory>
#include <string_view>

namespace haypile::vhost {

// An object whose input a virtual host handles in turns with others. All methods are called during
// calls to the virtual host, on its thread.
class Participant {
 public:
  virtual ~Participant() = default;
  // Called when the turn has come that it had to wait for: handles the input that it has left, or
  // reads more.
  virtual void read() = 0;
  // Called while it is paused, when what it waits for may have come. Returns false if it has to
  // wait longer.
  virtual bool try_to_resume() = 0;
  // Called while it is paused, when an alarm has begun; `text` is what its client is told.
  virtual void tell_alarm(std::string_view text) = 0;
  // Called now and then while it is paused, to check whether its client is still there.
  virtual void check_peer() = 0;
  // Called when the log is durable further than before.
  virtual void log_advanced() = 0;
  // Whether none of the calls above is needed any more.
  virtual bool has_gone() const = 0;
};

using ParticipantPtr = std::shared_ptr<Participant>;

}  // namespace haypile::vhost
