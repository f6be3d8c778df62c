// The class confirm, RabbitMQ's publisher confirms.
#pragma once

#include <string_view>
#include <tuple>

#include <haypile/amqp/types.hpp>

namespace haypile::amqp::confirm {

struct Select {
  static constexpr MethodId id{85, 10};
  static constexpr std::string_view name = "confirm.select";
  bool no_wait = false;
  auto fields() { return std::tie(no_wait); }
  auto fields() const { return std::tie(no_wait); }
};

struct SelectOk {
  static constexpr MethodId id{85, 11};
  static constexpr std::string_view name = "confirm.select-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

}  // namespace haypile::amqp::confirm
