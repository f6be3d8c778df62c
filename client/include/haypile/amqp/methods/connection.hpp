// The class connection: login, tuning and closing, with RabbitMQ's blocked, unblocked and
// update-secret.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include <haypile/amqp/table.hpp>
#include <haypile/amqp/types.hpp>

namespace haypile::amqp::connection {

struct Start {
  static constexpr MethodId id{10, 10};
  static constexpr std::string_view name = "connection.start";
  std::uint8_t version_major = 0;
  std::uint8_t version_minor = 9;
  TableView server_properties{};
  LongString mechanisms{};
  LongString locales{};
  auto fields() {
    return std::tie(version_major, version_minor, server_properties, mechanisms, locales);
  }
  auto fields() const {
    return std::tie(version_major, version_minor, server_properties, mechanisms, locales);
  }
};

struct StartOk {
  static constexpr MethodId id{10, 11};
  static constexpr std::string_view name = "connection.start-ok";
  TableView client_properties{};
  std::string_view mechanism{};
  LongString response{};
  std::string_view locale{};
  auto fields() { return std::tie(client_properties, mechanism, response, locale); }
  auto fields() const { return std::tie(client_properties, mechanism, response, locale); }
};

struct Secure {
  static constexpr MethodId id{10, 20};
  static constexpr std::string_view name = "connection.secure";
  LongString challenge{};
  auto fields() { return std::tie(challenge); }
  auto fields() const { return std::tie(challenge); }
};

struct SecureOk {
  static constexpr MethodId id{10, 21};
  static constexpr std::string_view name = "connection.secure-ok";
  LongString response{};
  auto fields() { return std::tie(response); }
  auto fields() const { return std::tie(response); }
};

struct Tune {
  static constexpr MethodId id{10, 30};
  static constexpr std::string_view name = "connection.tune";
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  auto fields() { return std::tie(channel_max, frame_max, heartbeat); }
  auto fields() const { return std::tie(channel_max, frame_max, heartbeat); }
};

struct TuneOk {
  static constexpr MethodId id{10, 31};
  static constexpr std::string_view name = "connection.tune-ok";
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  auto fields() { return std::tie(channel_max, frame_max, heartbeat); }
  auto fields() const { return std::tie(channel_max, frame_max, heartbeat); }
};

struct Open {
  static constexpr MethodId id{10, 40};
  static constexpr std::string_view name = "connection.open";
  std::string_view virtual_host{};
  std::string_view reserved_1{};
  bool reserved_2 = false;
  auto fields() { return std::tie(virtual_host, reserved_1, reserved_2); }
  auto fields() const { return std::tie(virtual_host, reserved_1, reserved_2); }
};

struct OpenOk {
  static constexpr MethodId id{10, 41};
  static constexpr std::string_view name = "connection.open-ok";
  std::string_view reserved_1{};
  auto fields() { return std::tie(reserved_1); }
  auto fields() const { return std::tie(reserved_1); }
};

struct Close {
  static constexpr MethodId id{10, 50};
  static constexpr std::string_view name = "connection.close";
  std::uint16_t reply_code = 0;
  std::string_view reply_text{};
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
  auto fields() { return std::tie(reply_code, reply_text, class_id, method_id); }
  auto fields() const { return std::tie(reply_code, reply_text, class_id, method_id); }
};

struct CloseOk {
  static constexpr MethodId id{10, 51};
  static constexpr std::string_view name = "connection.close-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Blocked {
  static constexpr MethodId id{10, 60};
  static constexpr std::string_view name = "connection.blocked";
  std::string_view reason{};
  auto fields() { return std::tie(reason); }
  auto fields() const { return std::tie(reason); }
};

struct Unblocked {
  static constexpr MethodId id{10, 61};
  static constexpr std::string_view name = "connection.unblocked";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct UpdateSecret {
  static constexpr MethodId id{10, 70};
  static constexpr std::string_view name = "connection.update-secret";
  LongString new_secret{};
  std::string_view reason{};
  auto fields() { return std::tie(new_secret, reason); }
  auto fields() const { return std::tie(new_secret, reason); }
};

struct UpdateSecretOk {
  static constexpr MethodId id{10, 71};
  static constexpr std::string_view name = "connection.update-secret-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

}  // namespace haypile::amqp::connection
