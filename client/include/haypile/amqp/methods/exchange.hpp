// The class exchange, with RabbitMQ's bind and unbind, and with the bits auto_delete and internal,
// which the specification reserves.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include <haypile/amqp/table.hpp>
#include <haypile/amqp/types.hpp>

namespace haypile::amqp::exchange {

struct Declare {
  static constexpr MethodId id{40, 10};
  static constexpr std::string_view name = "exchange.declare";
  std::uint16_t reserved_1 = 0;
  std::string_view exchange{};
  std::string_view type{};
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  bool no_wait = false;
  TableView arguments{};
  auto fields() {
    return std::tie(reserved_1, exchange, type, passive, durable, auto_delete, internal, no_wait,
                    arguments);
  }
  auto fields() const {
    return std::tie(reserved_1, exchange, type, passive, durable, auto_delete, internal, no_wait,
                    arguments);
  }
};

struct DeclareOk {
  static constexpr MethodId id{40, 11};
  static constexpr std::string_view name = "exchange.declare-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Delete {
  static constexpr MethodId id{40, 20};
  static constexpr std::string_view name = "exchange.delete";
  std::uint16_t reserved_1 = 0;
  std::string_view exchange{};
  bool if_unused = false;
  bool no_wait = false;
  auto fields() { return std::tie(reserved_1, exchange, if_unused, no_wait); }
  auto fields() const { return std::tie(reserved_1, exchange, if_unused, no_wait); }
};

struct DeleteOk {
  static constexpr MethodId id{40, 21};
  static constexpr std::string_view name = "exchange.delete-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Bind {
  static constexpr MethodId id{40, 30};
  static constexpr std::string_view name = "exchange.bind";
  std::uint16_t reserved_1 = 0;
  std::string_view destination{};
  std::string_view source{};
  std::string_view routing_key{};
  bool no_wait = false;
  TableView arguments{};
  auto fields() {
    return std::tie(reserved_1, destination, source, routing_key, no_wait, arguments);
  }
  auto fields() const {
    return std::tie(reserved_1, destination, source, routing_key, no_wait, arguments);
  }
};

struct BindOk {
  static constexpr MethodId id{40, 31};
  static constexpr std::string_view name = "exchange.bind-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Unbind {
  static constexpr MethodId id{40, 40};
  static constexpr std::string_view name = "exchange.unbind";
  std::uint16_t reserved_1 = 0;
  std::string_view destination{};
  std::string_view source{};
  std::string_view routing_key{};
  bool no_wait = false;
  TableView arguments{};
  auto fields() {
    return std::tie(reserved_1, destination, source, routing_key, no_wait, arguments);
  }
  auto fields() const {
    return std::tie(reserved_1, destination, source, routing_key, no_wait, arguments);
  }
};

struct UnbindOk {
  static constexpr MethodId id{40, 51};
  static constexpr std::string_view name = "exchange.unbind-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

}  // namespace haypile::amqp::exchange
