// The one kind of socket that the server uses, for TCP and for connections within the process.
#pragma once

#include <string>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

namespace haypile::server {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;

// The other end of a connection.
struct Peer {
  std::string name;       // address and port, for the log
  bool is_local = false;  // the client runs on this machine
  // What counts as one address for the LoginGate: an IPv4 address, or an IPv6 network of 64 bits.
  // Empty: the client is in this process.
  std::string network{};
};

}  // namespace haypile::server
