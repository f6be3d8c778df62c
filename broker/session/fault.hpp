// Why a channel or a connection has to be closed.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <haypile/amqp/types.hpp>

#include "engine/error.hpp"

namespace haypile::session {

// A reason to close a channel or a connection; converts to false if there is none. The code says
// which of the two has to be closed (amqp::is_connection_error()).
struct [[nodiscard]] Fault {
  amqp::ReplyCode code = amqp::ReplyCode::reply_success;
  std::string text;

  Fault() = default;
  Fault(amqp::ReplyCode c, std::string t) : code(c), text(std::move(t)) {}
  Fault(engine::Error&& error) {
    if (!error) return;
    code = static_cast<amqp::ReplyCode>(error.code);
    text = std::move(error.text);
  }
  // Nothing is wrong, but the work continues in another turn: give the same method to the channel
  // again.
  static Fault not_yet() { return {amqp::ReplyCode{}, {}}; }
  bool is_not_yet() const { return code == amqp::ReplyCode{}; }
  explicit operator bool() const { return code != amqp::ReplyCode::reply_success; }
};

// The fault for arguments or a content header that could not be read; `what` names them. Data that
// is truncated or too long is a malformed frame (501), everything else a syntax error (502).
Fault malformed(std::string_view what, amqp::DecodeError error);

// The fault for a method frame that is too short for the ids.
Fault too_short_for_a_method();
Fault unknown_method(amqp::MethodId id);

// The reply text of a close method, also used in the log: the name of the code, then what happened.
// It fits into a short string and is printable, whatever names are in it.
std::string reply_text(const Fault& fault);

}  // namespace haypile::session
