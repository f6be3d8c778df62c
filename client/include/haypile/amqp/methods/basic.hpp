// The class basic, with RabbitMQ's nack. Content follows Publish, Return, Deliver and GetOk.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include <haypile/amqp/table.hpp>
#include <haypile/amqp/types.hpp>

namespace haypile::amqp::basic {

struct Qos {
  static constexpr MethodId id{60, 10};
  static constexpr std::string_view name = "basic.qos";
  std::uint32_t prefetch_size = 0;
  std::uint16_t prefetch_count = 0;
  bool global = false;
  auto fields() { return std::tie(prefetch_size, prefetch_count, global); }
  auto fields() const { return std::tie(prefetch_size, prefetch_count, global); }
};

struct QosOk {
  static constexpr MethodId id{60, 11};
  static constexpr std::string_view name = "basic.qos-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Consume {
  static constexpr MethodId id{60, 20};
  static constexpr std::string_view name = "basic.consume";
  std::uint16_t reserved_1 = 0;
  std::string_view queue{};
  std::string_view consumer_tag{};
  bool no_local = false;
  bool no_ack = false;
  bool exclusive = false;
  bool no_wait = false;
  TableView arguments{};
  auto fields() {
    return std::tie(reserved_1, queue, consumer_tag, no_local, no_ack, exclusive, no_wait,
                    arguments);
  }
  auto fields() const {
    return std::tie(reserved_1, queue, consumer_tag, no_local, no_ack, exclusive, no_wait,
                    arguments);
  }
};

struct ConsumeOk {
  static constexpr MethodId id{60, 21};
  static constexpr std::string_view name = "basic.consume-ok";
  std::string_view consumer_tag{};
  auto fields() { return std::tie(consumer_tag); }
  auto fields() const { return std::tie(consumer_tag); }
};

struct Cancel {
  static constexpr MethodId id{60, 30};
  static constexpr std::string_view name = "basic.cancel";
  std::string_view consumer_tag{};
  bool no_wait = false;
  auto fields() { return std::tie(consumer_tag, no_wait); }
  auto fields() const { return std::tie(consumer_tag, no_wait); }
};

struct CancelOk {
  static constexpr MethodId id{60, 31};
  static constexpr std::string_view name = "basic.cancel-ok";
  std::string_view consumer_tag{};
  auto fields() { return std::tie(consumer_tag); }
  auto fields() const { return std::tie(consumer_tag); }
};

struct Publish {
  static constexpr MethodId id{60, 40};
  static constexpr std::string_view name = "basic.publish";
  std::uint16_t reserved_1 = 0;
  std::string_view exchange{};
  std::string_view routing_key{};
  bool mandatory = false;
  bool immediate = false;
  auto fields() { return std::tie(reserved_1, exchange, routing_key, mandatory, immediate); }
  auto fields() const { return std::tie(reserved_1, exchange, routing_key, mandatory, immediate); }
};

struct Return {
  static constexpr MethodId id{60, 50};
  static constexpr std::string_view name = "basic.return";
  std::uint16_t reply_code = 0;
  std::string_view reply_text{};
  std::string_view exchange{};
  std::string_view routing_key{};
  auto fields() { return std::tie(reply_code, reply_text, exchange, routing_key); }
  auto fields() const { return std::tie(reply_code, reply_text, exchange, routing_key); }
};

struct Deliver {
  static constexpr MethodId id{60, 60};
  static constexpr std::string_view name = "basic.deliver";
  std::string_view consumer_tag{};
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange{};
  std::string_view routing_key{};
  auto fields() { return std::tie(consumer_tag, delivery_tag, redelivered, exchange, routing_key); }
  auto fields() const {
    return std::tie(consumer_tag, delivery_tag, redelivered, exchange, routing_key);
  }
};

struct Get {
  static constexpr MethodId id{60, 70};
  static constexpr std::string_view name = "basic.get";
  std::uint16_t reserved_1 = 0;
  std::string_view queue{};
  bool no_ack = false;
  auto fields() { return std::tie(reserved_1, queue, no_ack); }
  auto fields() const { return std::tie(reserved_1, queue, no_ack); }
};

struct GetOk {
  static constexpr MethodId id{60, 71};
  static constexpr std::string_view name = "basic.get-ok";
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange{};
  std::string_view routing_key{};
  std::uint32_t message_count = 0;
  auto fields() {
    return std::tie(delivery_tag, redelivered, exchange, routing_key, message_count);
  }
  auto fields() const {
    return std::tie(delivery_tag, redelivered, exchange, routing_key, message_count);
  }
};

struct GetEmpty {
  static constexpr MethodId id{60, 72};
  static constexpr std::string_view name = "basic.get-empty";
  std::string_view reserved_1{};
  auto fields() { return std::tie(reserved_1); }
  auto fields() const { return std::tie(reserved_1); }
};

struct Ack {
  static constexpr MethodId id{60, 80};
  static constexpr std::string_view name = "basic.ack";
  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  auto fields() { return std::tie(delivery_tag, multiple); }
  auto fields() const { return std::tie(delivery_tag, multiple); }
};

struct Reject {
  static constexpr MethodId id{60, 90};
  static constexpr std::string_view name = "basic.reject";
  std::uint64_t delivery_tag = 0;
  bool requeue = false;
  auto fields() { return std::tie(delivery_tag, requeue); }
  auto fields() const { return std::tie(delivery_tag, requeue); }
};

struct RecoverAsync {
  static constexpr MethodId id{60, 100};
  static constexpr std::string_view name = "basic.recover-async";
  bool requeue = false;
  auto fields() { return std::tie(requeue); }
  auto fields() const { return std::tie(requeue); }
};

struct Recover {
  static constexpr MethodId id{60, 110};
  static constexpr std::string_view name = "basic.recover";
  bool requeue = false;
  auto fields() { return std::tie(requeue); }
  auto fields() const { return std::tie(requeue); }
};

struct RecoverOk {
  static constexpr MethodId id{60, 111};
  static constexpr std::string_view name = "basic.recover-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Nack {
  static constexpr MethodId id{60, 120};
  static constexpr std::string_view name = "basic.nack";
  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  bool requeue = false;
  auto fields() { return std::tie(delivery_tag, multiple, requeue); }
  auto fields() const { return std::tie(delivery_tag, multiple, requeue); }
};

}  // namespace haypile::amqp::basic
