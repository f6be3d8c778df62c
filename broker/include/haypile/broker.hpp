// The broker as a library: everything that haypiled does, inside another program.
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

#include <haypile/config.hpp>

namespace haypile {

// An option makes no sense, or the broker could not start, listen or connect. what() is one line
// that says why.
class BrokerError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Severity : std::uint8_t { debug, info, warning, error };

// The options of a broker. The constructor of Broker checks them.
struct BrokerOptions {
  // The directory for durable queues and persistent messages. It is created if it is missing, and
  // locked: a second broker on it fails. Empty: nothing outlives the broker.
  std::filesystem::path data_directory{};
  // The product name that clients are told. Some client libraries choose their prefetch semantics
  // by it.
  std::string product = "Haypile";
  // The largest message body that is accepted, in bytes, up to 1 GiB and a quarter of the memory
  // limit. 0: 16 MiB, or that quarter if it is less.
  std::uint64_t message_size_max_bytes = 0;
  // When messages take more memory than this, publishers are blocked (connection.blocked) until
  // there is room again; consumers continue. At least 1 MiB; 0: half of what the machine, or the
  // container, has.
  std::uint64_t memory_limit_bytes = 0;
  // When the disk has less free space than this, or none for the log's reserve, publishers are
  // blocked until there is more; consumers continue.
  std::uint64_t disk_free_limit_bytes = 64u << 20;
  // The size of the log on disk. Messages that stay longer move to files of their own. From 8 MiB
  // to 1 TiB.
  std::uint64_t log_size_bytes = 64u << 20;
  // When persistent messages that wait in durable queues take more memory than this, they leave
  // memory, and are read back when their turn comes.
  std::uint64_t queue_memory_bytes = 8u << 20;
  // Limits for connections that have not logged in yet, in all and for each address of another
  // machine. Connections beyond a limit are closed at once. At least 1.
  std::size_t login_max = 1024;
  std::size_t login_max_per_address = 64;
  // Receives the broker's log, one line a call.
  std::function<void(Severity, std::string_view)> report{};
  // Called once if the data directory cannot be written any more; the line says why. From then on
  // nothing is confirmed and all connections are closed.
  std::function<void(std::string_view)> on_failure{};
  // Both functions are called on a thread of the broker that does nothing else, one call at a time,
  // from the time when the broker has started (or has failed to) until it is destroyed. They may
  // call any method of the broker, also stop(), and may destroy it. Exceptions from them are
  // ignored; lines that they do not take in time are dropped and counted. listen() and stop()
  // return after everything was told, except when one of the two functions calls them.
};

// Where a broker listens.
struct Listening {
  std::uint16_t port = 0;
  // The endpoints as text, such as "127.0.0.1:5672" or "[::1]:5672".
  std::vector<std::string> endpoints;
};

// A broker that runs from the constructor to the destructor. All methods may be called from any
// thread. It has threads of its own, on which no signals are handled.
class Broker {
 public:
  // Reads the data directory. Throws BrokerError if the broker cannot start.
  explicit Broker(BrokerOptions options = {});
  // Stops the broker as stop() does.
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Opens a connection without TCP and returns the client's end of a pair of connected stream
  // sockets. The caller owns the descriptor; Connection::over_socket() takes it. Throws
  // BrokerError.
  int connect();

  // Accepts TCP connections on all addresses of all names, or on none of them; a numeric IPv4 or
  // IPv6 address is a name, too. Without any name these are the addresses of this machine alone:
  // 127.0.0.1 and, where there is IPv6, ::1. All have the same port; 0 is any port that is free on
  // all. Throws BrokerError.
  Listening listen(const std::vector<std::string>& addresses, std::uint16_t port);
  // Listens on one name or address in the same way; returns the port.
  std::uint16_t listen(const std::string& address, std::uint16_t port);
  // Looks whether listen() could succeed now, without a broker and without listening. Throws what
  // listen() would throw. Another program may still take the port before listen() does.
  static void check_listen(const std::vector<std::string>& addresses, std::uint16_t port);

  // Tells the clients that the broker stops (connection.close 320), gives them a moment to answer,
  // writes what is not written yet, marks the data directory as cleanly closed and unlocks it. Can
  // be called twice; connect() and listen() throw afterwards. Returns false if the directory could
  // not be marked as closed, now or because the broker had failed before; `on_failure` is told why.
  bool stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace haypile
