#include "session/arguments.hpp"

#include <algorithm>
#include <iterator>
#include <string>

namespace haypile::session {

namespace {

Fault refuse(std::string text) {
  return {amqp::ReplyCode::precondition_failed, std::move(text)};
}

Fault not_yet(std::string_view kind, std::string_view name) {
  return refuse(std::string(kind) + " '" + std::string(name) + "' is not supported yet");
}

constexpr std::string_view unsupported_queue_arguments[] = {
    "x-message-ttl",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-dead-letter-exchange",
    "x-dead-letter-strategy",
    "x-dead-letter-routing-key",
    "x-max-priority",
    "x-single-active-consumer",
    "x-delivery-limit",
};

Fault check_queue_type(const amqp::ValueView& value) {
  const auto type = value.as_string();
  if (!type) return refuse("invalid arg 'x-queue-type': expected a string");
  if (*type == "classic" || *type == "quorum") return {};
  if (*type == "stream") return refuse("queues of type 'stream' are not supported");
  return refuse("invalid arg 'x-queue-type': unknown type '" + std::string(*type) +
                "', expected 'classic' or 'quorum'");
}

}  // namespace

Fault check_queue_arguments(amqp::TableView arguments) {
  for (const amqp::Field& field : arguments) {
    if (field.key == "x-queue-type") {
      if (Fault fault = check_queue_type(field.value)) return fault;
    }
    if (std::ranges::find(unsupported_queue_arguments, field.key) !=
        std::end(unsupported_queue_arguments)) {
      return not_yet("queue argument", field.key);
    }
  }
  return {};
}

Fault check_exchange_arguments(amqp::TableView arguments) {
  if (arguments.find("alternate-exchange")) {
    return not_yet("exchange argument", "alternate-exchange");
  }
  return {};
}

Fault check_consumer_arguments(amqp::TableView arguments) {
  if (arguments.find("x-priority")) return not_yet("consumer argument", "x-priority");
  return {};
}

Fault check_properties(const amqp::Properties& properties, std::string_view user) {
  if (properties.expiration) return not_yet("property", "expiration");
  if (properties.user_id && *properties.user_id != user) {
    return refuse("user_id property set to '" + std::string(*properties.user_id) +
                  "' but authenticated user was '" + std::string(user) + "'");
  }
  if (properties.headers) {
    for (const std::string_view name : {"CC", "BCC"}) {
      if (properties.headers->find(name)) return not_yet("header", name);
    }
  }
  return {};
}

}  // namespace haypile::session
