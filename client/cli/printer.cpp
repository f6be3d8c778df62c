#include "printer.hpp"

#include <algorithm>
#include <iostream>

#include "json_values.hpp"

namespace haypile::cli {

std::uint64_t delivery_number(const Properties& properties) {
  const amqp::TableView headers = properties.headers.value_or(amqp::TableView());
  const std::int64_t before = headers.get<std::int64_t>("x-delivery-count").value_or(0);
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(before, 0, INT32_MAX)) + 1;
}

std::string message_json(const Message& message, const std::string& queue) {
  const Properties properties = message.properties();
  Json json;
  set_text(json, "queue", queue);
  set_text(json, "exchange", message.exchange());
  set_text(json, "routing_key", message.routing_key());
  json["redelivered"] = message.redelivered;
  json["attempt"] = delivery_number(properties);
  json["properties"] = json_of(properties);
  json["headers"] = json_of(properties.headers.value_or(amqp::TableView()));
  set_text(json, "body", message.body());
  return line_of(json);
}

void print(const Message& message, const std::string& queue, Output output) {
  if (output == Output::json) {
    std::cout << message_json(message, queue) << '\n';
  } else {
    std::cout << message.body() << (output == Output::null ? '\0' : '\n');
  }
  if (!std::cout.flush()) throw Error("cannot write to standard output");
}

}  // namespace haypile::cli
