// Why a channel or a connection has to be closed.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <haypile/amqp/types.hpp>

#include "engine/error.hpp"

namespace haypile::session {

// False when all went well. The code says whether it ends the channel or the connection
// (amqp::is_connection_error()).
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
  // Nothing is wrong, but what was asked for goes on in another turn: the same method is to be
  // given to the channel again.
  static Fault not_yet() { return {amqp::ReplyCode{}, {}}; }
  bool is_not_yet() const { return code == amqp::ReplyCode{}; }
  explicit operator bool() const { return code != amqp::ReplyCode::reply_success; }
};

// For arguments, or a content header, that could not be read: `what` names them. What is cut off or
// goes on too long is a malformed frame (501), any other thing a syntax error (502).
Fault malformed(std::string_view what, amqp::DecodeError error);

// Of a method frame without room for the ids.
Fault too_short_for_a_method();
Fault unknown_method(amqp::MethodId id);

// The reply text of a close method, and what the log says: name of the code, then what happened, in
// a short string that can be printed, whatever names are in it.
std::string reply_text(const Fault& fault);

}  // namespace haypile::session
