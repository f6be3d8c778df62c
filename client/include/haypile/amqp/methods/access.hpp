// The class access, which 0-9-1 has removed and older clients still use.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include <haypile/amqp/types.hpp>

namespace haypile::amqp::access {

struct Request {
  static constexpr MethodId id{30, 10};
  static constexpr std::string_view name = "access.request";
  std::string_view realm{};
  bool exclusive = false;
  bool passive = false;
  bool active = false;
  bool write = false;
  bool read = false;
  auto fields() { return std::tie(realm, exclusive, passive, active, write, read); }
  auto fields() const { return std::tie(realm, exclusive, passive, active, write, read); }
};

struct RequestOk {
  static constexpr MethodId id{30, 11};
  static constexpr std::string_view name = "access.request-ok";
  std::uint16_t reserved_1 = 1;
  auto fields() { return std::tie(reserved_1); }
  auto fields() const { return std::tie(reserved_1); }
};

}  // namespace haypile::amqp::access
