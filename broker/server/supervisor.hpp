// What a broker has beside the threads that serve its clients: listeners, admission, the data
// directory, its virtual hosts, and how it starts, fails and ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>

#include <haypile/broker.hpp>

#include "log/data_directory.hpp"
#include "server/admission.hpp"
#include "server/listener.hpp"
#include "server/reactor.hpp"
#include "server/socket.hpp"
#include "session/amqp_property_codec.hpp"
#include "session/settings.hpp"

namespace haypile::server {

// Used on the thread that runs `io` only, unless a method says otherwise.
class Supervisor {
 public:
  // Opens the data directory and recovers. Throws BrokerError. `io` must outlive the supervisor.
  Supervisor(asio::io_context& io, BrokerOptions options);
  ~Supervisor();

  // Listens on all addresses, on one port; 0 is any free port. Throws BrokerError.
  Listening listen(const std::vector<asio::ip::address>& addresses, std::uint16_t port);
  // Takes a client that has connected. Closes its socket if it is not admitted.
  void adopt(Socket socket, Peer peer);
  // Performs the close handshake with all clients; nothing is accepted any more. When the last
  // client has gone, or its time is over, `io` runs out of work.
  void stop();
  // Call this after `io` has run out of work: closes the log, marks it clean and unlocks the data
  // directory. Returns false if the log could not be closed, or had failed before.
  bool close();
  // Confirms nothing from now on and closes all connections. Called for exceptions that nobody else
  // catches, and when the log fails.
  void fail(const std::string& line);

 private:
  void open_vhost(const std::string& name);
  std::unique_ptr<log::Log> make_log(const std::string& vhost);
  void close_listeners();
  void report(Severity severity, const std::string& line) const;

  asio::io_context& io_;
  const BrokerOptions options_;
  const session::Settings settings_;
  const session::AmqpPropertyCodec property_codec_;
  Admission admission_;
  std::optional<log::DataDirectory> directory_;
  Reactor reactor_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  bool stopping_ = false;
  bool failed_ = false;
};

}  // namespace haypile::server
