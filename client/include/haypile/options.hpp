// How to connect to a broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/config.hpp>

namespace haypile {

// The options of a connection, with their defaults.
struct HAYPILE_EXPORT ConnectionOptions {
  std::string host = "localhost";
  std::uint16_t port = 5672;
  std::string user = "guest";
  std::string password = "guest";
  std::string virtual_host = "/";
  // The heartbeat interval. Nothing: what the broker proposes; 0: no heartbeats.
  std::optional<std::uint16_t> heartbeat_s{};
  // The limits that the client asks for; the broker may allow less.
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max_bytes = 131072;
  // The time for making the connection, including the login.
  std::chrono::milliseconds connection_timeout{10'000};
  // The time that the broker has to answer a method.
  std::chrono::milliseconds rpc_timeout{30'000};
  // A larger message from the broker ends the connection.
  std::uint64_t message_size_max_bytes = 512u << 20;
  // A name for the connection in the broker's logs and tools.
  std::string connection_name{};

  // Reads a URI such as
  // amqp://user:password@host:port/vhost?heartbeat=30&connection_timeout=5000&channel_max=10
  // &frame_max=8192&name=worker. Everything after the scheme is optional, and percent-encoded where
  // necessary; a host in brackets is an IPv6 address, and a missing vhost is "/". The heartbeat is
  // in seconds, connection_timeout in milliseconds. Throws ConnectionFailed.
  static ConnectionOptions from_uri(std::string_view uri);
};

}  // namespace haypile
