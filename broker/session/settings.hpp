// What a broker offers to its clients, and where it stops.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace haypile::session {

using Time = std::chrono::steady_clock::time_point;

// Client libraries that know it by name choose their prefetch semantics accordingly.
inline constexpr std::string_view product_rabbitmq = "RabbitMQ";

struct Settings {
  // Announced in connection.start. Some client libraries choose their prefetch semantics by it.
  std::string product = "Haypile";
  std::string version;

  // The offer of connection.tune; a client may ask for less.
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max_bytes = 131072;
  std::uint16_t heartbeat_s = 60;

  std::uint64_t message_size_max_bytes = 16u << 20;
  // What may be published in one transaction, properties and bodies.
  std::uint64_t transaction_max_bytes = 256u << 20;
  // From the session's beginning to connection.open-ok.
  std::chrono::seconds handshake_timeout{10};
  // How long the peer may take to answer our connection.close.
  std::chrono::seconds close_timeout{5};
  // How much may wait to be sent before consumers are passed over.
  std::size_t output_max_bytes = 512u << 10;
};

// Frames of a client that has not opened its connection yet.
inline constexpr std::uint32_t handshake_frame_max_bytes = 16384;

}  // namespace haypile::session
