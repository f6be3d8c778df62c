// The broker as a library: the whole of haypiled inside a program of one's own.
//
//   haypile::Broker broker({.data_directory = "hay"});
//   auto connection = haypile::Connection::over_socket(broker.connect());
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace haypile {

// The broker could not start, or not listen; what() is one line that says why.
class BrokerError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Severity : std::uint8_t { debug, info, warning, error };

struct BrokerOptions {
  // Where durable queues and persistent messages are kept; created if it is missing, and locked: a
  // second broker on it fails. Empty: nothing outlives the broker.
  std::filesystem::path data_directory{};
  // The name announced to clients. Some client libraries choose their prefetch semantics by it.
  std::string product = "Haypile";
  // The largest message body that is accepted, in bytes; never more than 4 GiB.
  std::uint64_t message_size_max_bytes = 16u << 20;
  // When messages take more memory than this, publishers are blocked (connection.blocked) until
  // there is room again; consumers go on. 0: half of what the machine, or the container, has.
  std::uint64_t memory_limit_bytes = 0;
  // When the disk has less room than this, or none for what is set aside besides, publishers are
  // blocked until there is more; consumers go on.
  std::uint64_t disk_free_limit_bytes = 64u << 20;
  // What the log may take on disk; messages that stay longer move to files of their own. At least
  // 8 MiB.
  std::uint64_t log_size_bytes = 64u << 20;
  // When persistent messages that wait in durable queues take more memory than this, they leave it,
  // and are read back when their turn comes.
  std::uint64_t queue_memory_bytes = 8u << 20;
  // What the broker has to say, one line a call. Called from the broker's thread.
  std::function<void(Severity, std::string_view)> report{};
  // The data directory cannot be written any more (what the line says): from now on nothing is
  // confirmed and all connections are closed. Called once, from one of the broker's threads.
  std::function<void(std::string_view)> on_failure{};
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

  // Accepts TCP connections too. `address` is a numeric IPv4 or IPv6 address; port 0: any that is
  // free. Returns the port. Throws BrokerError.
  std::uint16_t listen(const std::string& address, std::uint16_t port);

  // Tells the clients (connection.close 320), waits a moment for them to take leave, writes what
  // there is to write, marks the data directory as cleanly closed and gives it free. Can be called
  // twice; connect() and listen() throw afterwards.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace haypile
