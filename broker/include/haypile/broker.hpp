// The broker as a library: the whole of haypiled inside a program of one's own.
//
//   haypile::Broker broker({.data_directory = "hay"});
//   auto connection = haypile::Connection::over_socket(broker.connect());
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace haypile {

// What it is told makes no sense, or the broker could not start, or not listen; what() is one line
// that says why.
class BrokerError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Severity : std::uint8_t { debug, info, warning, error };

// The constructor of Broker checks them.
struct BrokerOptions {
  // Where durable queues and persistent messages are kept; created if it is missing, and locked: a
  // second broker on it fails. Empty: nothing outlives the broker.
  std::filesystem::path data_directory{};
  // The name announced to clients. Some client libraries choose their prefetch semantics by it.
  std::string product = "Haypile";
  // The largest message body that is accepted, up to 1 GiB and a quarter of the memory limit. 0:
  // 16 MiB, or that quarter if it is less.
  std::uint64_t message_size_max_bytes = 0;
  // When messages take more memory than this, publishers are blocked (connection.blocked) until
  // there is room again; consumers go on. At least 1 MiB; 0: half of what the machine, or the
  // container, has.
  std::uint64_t memory_limit_bytes = 0;
  // When the disk has less room than this, or none for what is set aside besides, publishers are
  // blocked until there is more; consumers go on.
  std::uint64_t disk_free_limit_bytes = 64u << 20;
  // What the log may take on disk; messages that stay longer move to files of their own. 8 MiB to
  // 1 TiB.
  std::uint64_t log_size_bytes = 64u << 20;
  // When persistent messages that wait in durable queues take more memory than this, they leave it,
  // and are read back when their turn comes.
  std::uint64_t queue_memory_bytes = 8u << 20;
  // Connections that have not logged in yet, in all and of one other machine; what is above is
  // closed at once. At least 1.
  std::size_t login_max = 1024;
  std::size_t login_max_per_address = 64;
  // What the broker has to say, one line a call.
  std::function<void(Severity, std::string_view)> report{};
  // The data directory cannot be written any more (what the line says): from now on nothing is
  // confirmed and all connections are closed. Called once.
  std::function<void(std::string_view)> on_failure{};
  // Both are called on a thread of the broker's that does nothing else, one call at a time, from
  // when the broker has started (or could not) until it is destroyed. They may call any method of
  // the broker, stop() included, and may destroy it. What they throw is ignored; lines that they do
  // not take in time are dropped and counted. listen() and stop() return when all has been told
  // that there was to tell; not if it is one of the two that calls them.
};

// Where a broker listens.
struct Listening {
  std::uint16_t port = 0;
  // "127.0.0.1:5672", "[::1]:5672".
  std::vector<std::string> endpoints;
};

// Starts with the constructor, stops with the destructor. All calls may come from any thread. It
// has threads of its own, on which no signals are handled.
class Broker {
 public:
  // Reads the data directory; throws BrokerError if that cannot be done.
  explicit Broker(BrokerOptions options = {});
  // As stop().
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // A connection without TCP: returns the client's end of a pair of connected stream sockets. The
  // caller owns the descriptor; Connection::over_socket() takes it. Throws BrokerError.
  int connect();

  // Accepts TCP connections too, on all addresses of all names (a numeric IPv4 or IPv6 address is
  // one), or on none of them; without any name for this machine alone, 127.0.0.1 and, where there
  // is IPv6, ::1. All have the same port; 0: any that is free on all. Throws BrokerError.
  Listening listen(const std::vector<std::string>& addresses, std::uint16_t port);
  // The same for one name; returns the port.
  std::uint16_t listen(const std::string& address, std::uint16_t port);

  // Tells the clients (connection.close 320), waits a moment for them to take leave, writes what
  // there is to write, marks the data directory as cleanly closed and gives it free. Can be called
  // twice; connect() and listen() throw afterwards. False: the directory could not be marked as
  // closed, now or since the broker had failed before; `on_failure` is told why.
  bool stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace haypile
