// What a broker offers to its clients, and its limits.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace haypile::session {

using Time = std::chrono::steady_clock::time_point;

// Client libraries that recognize this product name choose their prefetch semantics by it.
inline constexpr std::string_view product_rabbitmq = "RabbitMQ";

// The settings that all sessions of a broker share.
struct Settings {
  // The product name in connection.start; see product_rabbitmq.
  std::string product = "Haypile";
  std::string version;

  // The offer in connection.tune; a client may ask for less.
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max_bytes = 131072;
  std::uint16_t heartbeat_s = 60;

  std::uint64_t message_size_max_bytes = 16u << 20;
  // The most that may be published in the open transactions of one connection, properties and
  // bodies.
  std::uint64_t transaction_max_bytes = 256u << 20;
  // The time from the session's beginning to connection.open-ok.
  std::chrono::seconds handshake_timeout{10};
  // The time that the peer has to answer our connection.close.
  std::chrono::seconds close_timeout{5};
  // The output that may wait to be sent before consumers get nothing more.
  std::size_t output_max_bytes = 512u << 10;
  // The replies that may wait to be sent before the client's input is not read any more.
  std::size_t replies_max_bytes = 32u << 20;
  // A connection that holds unacked messages or a transaction may publish as much as it holds
  // during an alarm, up to this limit. Otherwise the acks behind its messages might never be read.
  std::size_t alarm_allowance_max_bytes = 32u << 20;
  // The definitions that a connection may still declare during an alarm: a consumer that starts
  // declares the queue that it consumes from.
  std::size_t alarm_declare_max_bytes = 64u << 10;
  // A connection is closed if nothing more of an unfinished message has come for this time, or if a
  // message finds no room for this time. A client that does not read its replies has two
  // heartbeats, or this time if heartbeats are off.
  std::chrono::seconds silence_max{60};
};

// The largest frame before connection.tune-ok.
inline constexpr std::uint32_t handshake_frame_max_bytes = 16384;

}  // namespace haypile::session
