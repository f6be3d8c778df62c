#include "session/arguments.hpp"

#include <string>

#include "session/wire_format.hpp"

namespace haypile::session {

namespace {

Fault refuse(std::string text) {
  return {amqp::ReplyCode::precondition_failed, std::move(text)};
}

Fault check_routing_header(amqp::TableView headers, std::string_view name) {
  const auto value = headers.find(name);
  if (!value || value->as_array()) return {};
  return refuse("header '" + std::string(name) + "' has to be an array of routing keys");
}

}  // namespace

Fault read_consumer_arguments(amqp::TableView arguments, std::int64_t& priority) {
  if (arguments.find("x-stream-offset")) {
    return refuse("consumer argument 'x-stream-offset' is for streams, which are not supported");
  }
  const auto value = arguments.find("x-priority");
  if (!value) return {};
  const auto number = value->as_int64();
  if (!number) return refuse("invalid arg 'x-priority' of a consumer: expected an integer");
  priority = *number;
  return {};
}

Fault check_properties(const amqp::Properties& properties, std::string_view user) {
  if (properties.expiration && !parse_expiration(*properties.expiration)) {
    return refuse("invalid expiration '" + std::string(*properties.expiration) +
                  "', expected milliseconds, 0 to " + std::to_string(engine::time_max_ms) +
                  ", as a string");
  }
  const auto mode = properties.delivery_mode;
  if (mode && *mode != amqp::delivery_mode_transient && *mode != amqp::delivery_mode_persistent) {
    return refuse("invalid delivery_mode " + std::to_string(*mode) +
                  ", expected 1 (transient) or 2 (persistent)");
  }
  if (properties.user_id && *properties.user_id != user) {
    return refuse("user_id property set to '" + std::string(*properties.user_id) +
                  "' but authenticated user was '" + std::string(user) + "'");
  }
  if (!properties.headers) return {};
  if (Fault fault = check_routing_header(*properties.headers, "CC")) return fault;
  return check_routing_header(*properties.headers, "BCC");
}

}  // namespace haypile::session
