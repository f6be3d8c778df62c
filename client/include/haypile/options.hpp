// How to connect to a broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/config.hpp>

namespace haypile {

// How a connection is encrypted: TLS 1.2 or later. All files are in PEM format, and are read when
// the connection is made: a library without TLS, or a file that is not usable, is a
// ConnectionFailed then.
struct TlsOptions {
  // The certificates of those who may vouch for brokers. Empty: the authorities of the system.
  std::string ca_file{};
  // The certificate of the client, with those between it and its authority behind it, and its key.
  // Empty: no certificate is shown; an empty key_file: the key is in certificate_file as well.
  std::string certificate_file{};
  std::string key_file{};
  // For a key that is encrypted.
  std::string key_password{};
  // Whether the broker has to show a certificate that is valid, for its host, and vouched for.
  // Without that, whoever is on the way can be the broker: read everything, and the password.
  bool verify = true;
  // The name that is asked for (SNI), and that the certificate has to have. Empty: the host.
  std::string server_name{};
};

// The options of a connection, with their defaults.
struct HAYPILE_EXPORT ConnectionOptions {
  std::string host = "localhost";
  // With TLS it usually is 5671, which from_uri() knows.
  std::uint16_t port = 5672;
  std::string user = "guest";
  std::string password = "guest";
  // If it is set: asked for the password at each login instead, for tokens that run out. It is
  // called on the thread that connects, and what it throws comes out there.
  std::function<std::string()> password_callback{};
  // Whether the broker knows the client by its certificate (SASL EXTERNAL), so that user and
  // password do not matter.
  bool external_login = false;
  std::string virtual_host = "/";
  // Nothing: the connection is not encrypted.
  std::optional<TlsOptions> tls{};
  // The heartbeat interval. Nothing: what the broker proposes; 0: no heartbeats.
  std::optional<std::uint16_t> heartbeat_s{};
  // The limits that the client asks for; the broker may allow less.
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max_bytes = 131072;
  // The time for making the connection, including the login.
  std::chrono::milliseconds connection_timeout{10'000};
  // The time that the broker has to answer a method.
  std::chrono::milliseconds rpc_timeout{30'000};
  // How long publishing and acknowledging wait for room when the broker takes no more output.
  std::chrono::milliseconds publish_timeout{30'000};
  // How long close() and the destructor of a connection wait for the broker's goodbye.
  std::chrono::milliseconds close_timeout{5'000};
  // The prefetch_count of a channel that has a consumer with acknowledgements and was not given
  // one with basic_qos(). It bounds what a program holds that waits within a callback. 0: no limit,
  // as the protocol has it.
  std::uint16_t default_prefetch_count = 1000;
  // A larger message from the broker ends the connection.
  std::uint64_t message_size_max_bytes = 512u << 20;
  // A name for the connection in the broker's logs and tools.
  std::string connection_name{};

  // Reads a URI such as
  // amqps://user:password@host:port/vhost?heartbeat=30&cacertfile=%2Fetc%2Fca.pem. Everything after
  // the scheme is optional, and percent-encoded where necessary. A host in brackets is an IPv6
  // address, a missing vhost is "/", and a missing port is 5672, or 5671 with amqps. Throws
  // ConnectionFailed, without any part of the URI that may be a password.
  //
  // Parameters, as other clients of AMQP have them:
  //   heartbeat (seconds); connection_timeout, publish_timeout (milliseconds); channel_max;
  //   frame_max (bytes); name (connection_name); auth_mechanism=plain or external.
  // With amqps alone: cacertfile, certfile, keyfile; verify=verify_peer or verify_none;
  // server_name_indication (server_name).
  static ConnectionOptions from_uri(std::string_view uri);
};

}  // namespace haypile
