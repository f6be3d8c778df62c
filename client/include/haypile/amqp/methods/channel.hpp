// The class channel: opening, flow and closing.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include <haypile/amqp/types.hpp>

namespace haypile::amqp::channel {

struct Open {
  static constexpr MethodId id{20, 10};
  static constexpr std::string_view name = "channel.open";
  std::string_view reserved_1{};
  auto fields() { return std::tie(reserved_1); }
  auto fields() const { return std::tie(reserved_1); }
};

struct OpenOk {
  static constexpr MethodId id{20, 11};
  static constexpr std::string_view name = "channel.open-ok";
  LongString reserved_1{};
  auto fields() { return std::tie(reserved_1); }
  auto fields() const { return std::tie(reserved_1); }
};

struct Flow {
  static constexpr MethodId id{20, 20};
  static constexpr std::string_view name = "channel.flow";
  bool active = false;
  auto fields() { return std::tie(active); }
  auto fields() const { return std::tie(active); }
};

struct FlowOk {
  static constexpr MethodId id{20, 21};
  static constexpr std::string_view name = "channel.flow-ok";
  bool active = false;
  auto fields() { return std::tie(active); }
  auto fields() const { return std::tie(active); }
};

struct Close {
  static constexpr MethodId id{20, 40};
  static constexpr std::string_view name = "channel.close";
  std::uint16_t reply_code = 0;
  std::string_view reply_text{};
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
  auto fields() { return std::tie(reply_code, reply_text, class_id, method_id); }
  auto fields() const { return std::tie(reply_code, reply_text, class_id, method_id); }
};

struct CloseOk {
  static constexpr MethodId id{20, 41};
  static constexpr std::string_view name = "channel.close-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

}  // namespace haypile::amqp::channel
