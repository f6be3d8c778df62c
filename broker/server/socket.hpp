// The one kind of socket that the server knows: TCP and in-process connections alike.
#pragma once

#include <string>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

namespace haypile::server {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;

struct Peer {
  std::string name;       // address and port, for the log
  bool is_local = false;  // from this machine
  // What counts as one address: an IPv4 address, or an IPv6 network of 64 bits. Empty: the client
  // is in this process.
  std::string network{};
};

}  // namespace haypile::server
