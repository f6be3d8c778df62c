// Everything a session has to send, as one string.
#pragma once

#include <string>
#include <string_view>

#include "session/session.hpp"

namespace haypile::test {

// The session's output without the first `skipped` bytes. It stays in the session until
// output_sent().
inline std::string look(const session::Session& session, std::size_t skipped = 0) {
  std::string bytes;
  session::OutputPieces pieces;
  do {
    session.look_at_output(pieces, skipped + bytes.size());
    for (const std::string_view piece : pieces.all())
      bytes += piece;
  } while (pieces.count > 0);
  return bytes;
}

}  // namespace haypile::test
