// The engine's answer when it refuses a call.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace haypile::engine {

// The numbers are AMQP's reply codes (0-9-1, "constants"), so that a session can pass them on.
enum class ErrorCode : std::uint16_t {
  none = 0,
  access_refused = 403,
  not_found = 404,
  resource_locked = 405,
  precondition_failed = 406,
  not_allowed = 530,
};

// Converts to false if all went well. `text` names the thing, the argument and both values.
struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::none;
  std::string text;

  Error() = default;
  Error(ErrorCode c, std::string t) : code(c), text(std::move(t)) {}
  explicit operator bool() const { return code != ErrorCode::none; }
};

}  // namespace haypile::engine
