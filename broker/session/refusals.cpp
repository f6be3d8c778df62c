#include "session/refusals.hpp"

#include <string>

#include <haypile/amqp/methods.hpp>

#include "engine/definitions.hpp"

namespace haypile::session::refusals {

using amqp::ReplyCode;

Fault content_is_missing(amqp::MethodId id) {
  return {ReplyCode::unexpected_frame,
          "expected the content of a message, got method " + std::string(amqp::method_name(id))};
}

Fault not_for_clients(amqp::MethodId id) {
  const std::string_view name = amqp::method_name(id);
  if (name == "unknown") return unknown_method(id);
  return {amqp::carries_content(id) ? ReplyCode::unexpected_frame : ReplyCode::command_invalid,
          std::string(name) + " is not for a client to send here"};
}

Fault immediate_publish() {
  return {ReplyCode::not_implemented, "immediate=true"};
}

Fault header_without_method() {
  return {ReplyCode::unexpected_frame, "content header without a method that carries one"};
}

Fault malformed_header(amqp::DecodeError error) {
  if (error != amqp::DecodeError::bad_value) return malformed("content header", error);
  return {ReplyCode::unexpected_frame, "content header with a weight other than 0"};
}

Fault wrong_class(std::uint16_t class_id) {
  return {ReplyCode::unexpected_frame,
          "content header of class " + std::to_string(class_id) + ", expected 60"};
}

Fault malformed_properties(amqp::DecodeError error) {
  return {ReplyCode::syntax_error, "malformed properties: " + std::string(amqp::text(error))};
}

Fault properties_too_large(std::size_t size, std::size_t size_max) {
  return {ReplyCode::precondition_failed, "properties of " + std::to_string(size) +
                                              " bytes are larger than the maximum of " +
                                              std::to_string(size_max)};
}

Fault header_too_large(std::size_t size, std::size_t frame_max) {
  return {ReplyCode::precondition_failed, "content header of " + std::to_string(size) +
                                              " bytes exceeds frame_max " +
                                              std::to_string(frame_max)};
}

Fault message_too_large(std::uint64_t size, std::uint64_t size_max) {
  return {ReplyCode::precondition_failed, "message size " + std::to_string(size) +
                                              " is larger than configured max size " +
                                              std::to_string(size_max)};
}

Fault body_without_header() {
  return {ReplyCode::unexpected_frame, "content body without a header before it"};
}

Fault body_too_long(std::uint64_t declared_size) {
  return {ReplyCode::unexpected_frame,
          "content body longer than the " + std::to_string(declared_size) + " bytes declared"};
}

Fault invalid_expiration(std::string_view expiration) {
  return {ReplyCode::precondition_failed,
          "invalid expiration '" + std::string(expiration) + "', expected milliseconds, 0 to " +
              std::to_string(engine::time_max_ms) + ", as a string"};
}

Fault invalid_delivery_mode(std::uint8_t mode) {
  return {ReplyCode::precondition_failed, "invalid delivery_mode " + std::to_string(mode) +
                                              ", expected 1 (transient) or 2 (persistent)"};
}

Fault wrong_user(std::string_view told, std::string_view user) {
  return {ReplyCode::precondition_failed, "user_id property set to '" + std::string(told) +
                                              "' but authenticated user was '" + std::string(user) +
                                              "'"};
}

}  // namespace haypile::session::refusals
