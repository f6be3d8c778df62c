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
  // What may be published in the open transactions of one connection, properties and bodies.
  std::uint64_t transaction_max_bytes = 256u << 20;
  // From the session's beginning to connection.open-ok.
  std::chrono::seconds handshake_timeout{10};
  // How long the peer may take to answer our connection.close.
  std::chrono::seconds close_timeout{5};
  // How much may wait to be sent before consumers are passed over.
  std::size_t output_max_bytes = 512u << 10;
  // How much of what a client has asked for may wait to be sent before it is not read any more.
  std::size_t replies_max_bytes = 32u << 20;
  // Whoever holds unacked messages, or a transaction, may publish as much during an alarm, up to
  // this: otherwise it might never come to give them back.
  std::size_t alarm_allowance_max_bytes = 32u << 20;
  // During an alarm each connection may still declare that much: a consumer that starts declares
  // what it consumes from.
  std::size_t alarm_declare_max_bytes = 64u << 10;
  // A message that has begun and of which nothing more has come for so long ends its connection;
  // and so does one that finds no room. A client that does not read what it has asked for is given
  // two heartbeats, or so long if there are none.
  std::chrono::seconds silence_max{60};
};

// Frames of a client that has not opened its connection yet.
inline constexpr std::uint32_t handshake_frame_max_bytes = 16384;

}  // namespace haypile::session
