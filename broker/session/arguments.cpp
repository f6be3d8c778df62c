#include "session/arguments.hpp"

#include <string>

#include "session/amqp_property_codec.hpp"
#include "session/refusals.hpp"

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

Fault check_routing_headers(amqp::TableView headers) {
  if (Fault fault = check_routing_header(headers, "CC")) return fault;
  return check_routing_header(headers, "BCC");
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
    return refusals::invalid_expiration(*properties.expiration);
  }
  const auto mode = properties.delivery_mode;
  if (mode && *mode != amqp::delivery_mode_transient && *mode != amqp::delivery_mode_persistent) {
    return refusals::invalid_delivery_mode(*mode);
  }
  if (properties.user_id && *properties.user_id != user) {
    return refusals::wrong_user(*properties.user_id, user);
  }
  return properties.headers ? check_routing_headers(*properties.headers) : Fault{};
}

}  // namespace haypile::session
