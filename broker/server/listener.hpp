// Accepts TCP connections.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "server/socket.hpp"

namespace haypile::server {

class Listener {
 public:
  using OnAccept = std::function<void(Socket, Peer)>;
  using OnError = std::function<void(const std::string&)>;

  // Listens at once; throws BrokerError. When the process is out of file descriptors, clients are
  // accepted and closed, which `on_error` is told once a spell.
  Listener(asio::io_context& io, const std::string& address, std::uint16_t port, OnAccept on_accept,
           OnError on_error);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::uint16_t port() const { return port_; }
  // The listener itself has to stay until `io` has run out of handlers.
  void close();

 private:
  void accept();
  void turn_away();
  void retry_later();

  OnAccept on_accept_;
  OnError on_error_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  std::uint16_t port_ = 0;
  int spare_ = -1;  // a descriptor to give up for accepting one more
  bool turning_away_ = false;
};

}  // namespace haypile::server
