// The class queue.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include <haypile/amqp/table.hpp>
#include <haypile/amqp/types.hpp>

namespace haypile::amqp::queue {

struct Declare {
  static constexpr MethodId id{50, 10};
  static constexpr std::string_view name = "queue.declare";
  std::uint16_t reserved_1 = 0;
  std::string_view queue{};
  bool passive = false;
  bool durable = false;
  bool exclusive = false;
  bool auto_delete = false;
  bool no_wait = false;
  TableView arguments{};
  auto fields() {
    return std::tie(reserved_1, queue, passive, durable, exclusive, auto_delete, no_wait,
                    arguments);
  }
  auto fields() const {
    return std::tie(reserved_1, queue, passive, durable, exclusive, auto_delete, no_wait,
                    arguments);
  }
};

struct DeclareOk {
  static constexpr MethodId id{50, 11};
  static constexpr std::string_view name = "queue.declare-ok";
  std::string_view queue{};
  std::uint32_t message_count = 0;
  std::uint32_t consumer_count = 0;
  auto fields() { return std::tie(queue, message_count, consumer_count); }
  auto fields() const { return std::tie(queue, message_count, consumer_count); }
};

struct Bind {
  static constexpr MethodId id{50, 20};
  static constexpr std::string_view name = "queue.bind";
  std::uint16_t reserved_1 = 0;
  std::string_view queue{};
  std::string_view exchange{};
  std::string_view routing_key{};
  bool no_wait = false;
  TableView arguments{};
  auto fields() { return std::tie(reserved_1, queue, exchange, routing_key, no_wait, arguments); }
  auto fields() const {
    return std::tie(reserved_1, queue, exchange, routing_key, no_wait, arguments);
  }
};

struct BindOk {
  static constexpr MethodId id{50, 21};
  static constexpr std::string_view name = "queue.bind-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Purge {
  static constexpr MethodId id{50, 30};
  static constexpr std::string_view name = "queue.purge";
  std::uint16_t reserved_1 = 0;
  std::string_view queue{};
  bool no_wait = false;
  auto fields() { return std::tie(reserved_1, queue, no_wait); }
  auto fields() const { return std::tie(reserved_1, queue, no_wait); }
};

struct PurgeOk {
  static constexpr MethodId id{50, 31};
  static constexpr std::string_view name = "queue.purge-ok";
  std::uint32_t message_count = 0;
  auto fields() { return std::tie(message_count); }
  auto fields() const { return std::tie(message_count); }
};

struct Delete {
  static constexpr MethodId id{50, 40};
  static constexpr std::string_view name = "queue.delete";
  std::uint16_t reserved_1 = 0;
  std::string_view queue{};
  bool if_unused = false;
  bool if_empty = false;
  bool no_wait = false;
  auto fields() { return std::tie(reserved_1, queue, if_unused, if_empty, no_wait); }
  auto fields() const { return std::tie(reserved_1, queue, if_unused, if_empty, no_wait); }
};

struct DeleteOk {
  static constexpr MethodId id{50, 41};
  static constexpr std::string_view name = "queue.delete-ok";
  std::uint32_t message_count = 0;
  auto fields() { return std::tie(message_count); }
  auto fields() const { return std::tie(message_count); }
};

struct Unbind {
  static constexpr MethodId id{50, 50};
  static constexpr std::string_view name = "queue.unbind";
  std::uint16_t reserved_1 = 0;
  std::string_view queue{};
  std::string_view exchange{};
  std::string_view routing_key{};
  TableView arguments{};
  auto fields() { return std::tie(reserved_1, queue, exchange, routing_key, arguments); }
  auto fields() const { return std::tie(reserved_1, queue, exchange, routing_key, arguments); }
};

struct UnbindOk {
  static constexpr MethodId id{50, 51};
  static constexpr std::string_view name = "queue.unbind-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

}  // namespace haypile::amqp::queue
