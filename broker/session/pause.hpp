// Why a connection is not read from at the moment.
#pragma once

#include <cstdint>

namespace haypile::session {

// The reason why input waits. A connection is one stream, so what stops one of its frames stops all
// frames behind it. The table in docs/architecture.md, "Pausing", explains each value.
enum class Pause : std::uint8_t {
  // All input is read.
  none,
  // The connection has used up its share of the turn and continues in the next one.
  turn,
  // The host has not answered the login yet.
  login,
  // The next frame would publish or declare something, and there is an alarm, or the log is behind.
  alarm,
  // The next frame begins a message that has no room beside the unfinished messages.
  room,
  // Too many replies wait to be sent, or wait for the disk.
  unread,
};

}  // namespace haypile::session
