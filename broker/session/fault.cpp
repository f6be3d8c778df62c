#include "session/fault.hpp"

#include <haypile/amqp/printable.hpp>

namespace haypile::session {

Fault malformed(std::string_view what, amqp::DecodeError error) {
  const bool frame =
      error == amqp::DecodeError::truncated || error == amqp::DecodeError::trailing_bytes;
  return {frame ? amqp::ReplyCode::frame_error : amqp::ReplyCode::syntax_error,
          "malformed " + std::string(what) + ": " + std::string(amqp::text(error))};
}

Fault too_short_for_a_method() {
  return {amqp::ReplyCode::frame_error, "method frame too short for a method"};
}

Fault unknown_method(amqp::MethodId id) {
  return {amqp::ReplyCode::not_implemented, "unknown method " + std::to_string(id.method_id) +
                                                " of class " + std::to_string(id.class_id)};
}

std::string reply_text(const Fault& fault) {
  const std::string text = std::string(amqp::name(fault.code)) + " - " + fault.text;
  return amqp::printable(text, amqp::short_string_size_max);
}

}  // namespace haypile::session
