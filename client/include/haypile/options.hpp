// How to connect.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace haypile {

struct ConnectionOptions {
  std::string host = "localhost";
  std::uint16_t port = 5672;
  std::string user = "guest";
  std::string password = "guest";
  std::string virtual_host = "/";
  // Nothing: what the broker proposes. 0: none at all.
  std::optional<std::uint16_t> heartbeat_s{};
  // The most that is asked for; the broker may allow less.
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max_bytes = 131072;
  // For the connection to come about, login included.
  std::chrono::milliseconds connection_timeout{10'000};
  // For the broker's answer to a method.
  std::chrono::milliseconds rpc_timeout{30'000};
  // Larger messages from the broker end the connection.
  std::uint64_t message_size_max_bytes = 512u << 20;
  // The name by which the broker's logs and tools may know the connection.
  std::string connection_name{};

  // amqp://user:password@host:port/vhost?heartbeat=30&connection_timeout=5000&channel_max=10
  // &frame_max=8192&name=worker with everything after the scheme optional and percent-encoded where
  // it has to be; a host in brackets is an IPv6 address, and a vhost that is left out is "/". Times
  // are in seconds (heartbeat) and milliseconds (connection_timeout). Throws ConnectionFailed.
  static ConnectionOptions from_uri(std::string_view uri);
};

}  // namespace haypile
