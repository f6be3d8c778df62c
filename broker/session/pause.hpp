// Why a connection is not read from for now.
#pragma once

#include <cstdint>

namespace haypile::session {

// A connection is one stream: what stops one of its frames stops all that come behind it. The table
// of what each of these means is in docs/architecture.md, "Pausing".
enum class Pause : std::uint8_t {
  // All that comes is read.
  none,
  // Its share of the turn is used up: it goes on in the next one.
  turn,
  // The host has yet to say whether it may log in.
  login,
  // It would publish or declare something, and there is an alarm, or the log is behind.
  alarm,
  // A message of which it sends the first part has no room beside those that have begun already.
  room,
  // Too much of what it has asked for waits to be sent, or for the disk.
  unread,
};

}  // namespace haypile::session
