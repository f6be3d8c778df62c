// Accepts TCP connections.
#pragma once

#include <functional>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "server/socket.hpp"

namespace haypile::server {

// Accepts TCP connections on one address and hands them to `on_accept`.
class Listener {
 public:
  using OnAccept = std::function<void(Socket, Peer)>;
  using OnTurnedAway = std::function<void()>;

  // `acceptor` must be listening and must not block. When the process is out of file descriptors,
  // clients are accepted and closed at once; `on_turned_away` is called for each of them.
  Listener(asio::ip::tcp::acceptor acceptor, OnAccept on_accept, OnTurnedAway on_turned_away);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Stops accepting. The listener itself must live until `io` has run out of handlers.
  void close();

 private:
  void accept();
  void turn_away();
  void retry_later();

  OnAccept on_accept_;
  OnTurnedAway on_turned_away_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  int spare_ = -1;  // a descriptor to close in order to accept one more client
};

}  // namespace haypile::server
