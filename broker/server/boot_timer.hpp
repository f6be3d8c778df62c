// A timer on the boot clock.
#pragma once

#include <functional>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "engine/definitions.hpp"
#include "server/socket.hpp"

namespace haypile::server {

// Calls a function at a time of CLOCK_BOOTTIME, also if the machine has slept until then. Asio's
// own timers stand still while it sleeps.
class BootTimer {
 public:
  // `on_time` may call set(). Throws std::system_error.
  BootTimer(asio::io_context& io, std::function<void()> on_time);

  // `when` is in milliseconds since the machine was started; it replaces what was set before.
  void set(engine::TimeMs when);
  // Afterwards the timer does not go off any more and cannot be set again.
  void close();

 private:
  void wait();

  asio::posix::stream_descriptor timer_;
  const std::function<void()> on_time_;
  bool waiting_ = false;
};

}  // namespace haypile::server
