// Accepts TCP connections.
#pragma once

#include <functional>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "server/socket.hpp"

namespace haypile::server {

class Listener {
 public:
  using OnAccept = std::function<void(Socket, Peer)>;
  using OnTurnedAway = std::function<void()>;

  // `acceptor` is listening, and does not block. When the process is out of file descriptors,
  // clients are accepted and closed, of each of which `on_turned_away` is told.
  Listener(asio::ip::tcp::acceptor acceptor, OnAccept on_accept, OnTurnedAway on_turned_away);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The listener itself has to stay until `io` has run out of handlers.
  void close();

 private:
  void accept();
  void turn_away();
  void retry_later();

  OnAccept on_accept_;
  OnTurnedAway on_turned_away_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  int spare_ = -1;  // a descriptor to give up for accepting one more
};

}  // namespace haypile::server
