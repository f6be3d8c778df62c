// Which clients are admitted, before a connection costs more than its socket.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <haypile/broker.hpp>

#include "server/login_gate.hpp"
#include "server/socket.hpp"
#include "server/spell.hpp"

namespace haypile::server {

// Decides whether a new connection may stay, and when a refused login is told. Belongs to the
// reactor's thread.
class Admission {
 public:
  using Report = std::function<void(Severity, const std::string&)>;

  Admission(asio::io_context& io, LoginLimits limits, Report report);

  // Returns false if the socket is to be closed at once. Connections that are turned away are
  // counted and reported at the beginning and the end of a spell.
  bool enter(Socket& socket, const Peer& peer, LoginGate::Place& place);
  // Call this when a client was turned away because there was no descriptor for it.
  void out_of_descriptors() { turn_away(Reason::descriptors); }
  // The time at which the refusal of a login may be told.
  Time refuse(const Peer& peer);
  // Stops the timer, so that `io` can run out of work.
  void close() { timer_.cancel(); }

 private:
  enum class Reason : unsigned char { descriptors, logins, address, count };

  void turn_away(Reason reason);
  void wait();
  void report_ended();

  const Report report_;
  const std::shared_ptr<LoginGate> gate_;
  std::array<Spell, static_cast<std::size_t>(Reason::count)> spells_;
  asio::steady_timer timer_;
  bool waiting_ = false;
};

}  // namespace haypile::server
