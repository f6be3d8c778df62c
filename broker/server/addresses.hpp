// Where to listen: names become addresses, and addresses become acceptors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "server/socket.hpp"

namespace haypile::server {

// "127.0.0.1:5672" or "[::1]:5672".
std::string text(const asio::ip::tcp::endpoint& endpoint);

// All addresses of all names, each once, in their order; a numeric address is one too. Without any
// name: this machine alone, 127.0.0.1 and, where there is IPv6, ::1. May wait for a name server.
// Throws BrokerError.
std::vector<asio::ip::address> resolve(const std::vector<std::string>& names);

// Listens on all of them or none, on the same port; 0: one that is free on all. Throws BrokerError.
std::vector<asio::ip::tcp::acceptor> open_acceptors(asio::io_context& io,
                                                    const std::vector<asio::ip::address>& addresses,
                                                    std::uint16_t port);

}  // namespace haypile::server
