// Where to listen: turns names into addresses, and addresses into acceptors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "server/socket.hpp"

namespace haypile::server {

// The endpoint as text: "127.0.0.1:5672" or "[::1]:5672".
std::string text(const asio::ip::tcp::endpoint& endpoint);

// The addresses of all names, each once, in the order of the names; a numeric address is a name
// too. Without any name they are those of this machine alone: 127.0.0.1 and, where there is IPv6,
// ::1. May wait for a name server. Throws BrokerError.
std::vector<asio::ip::address> resolve(const std::vector<std::string>& names);

// Listens on all addresses or on none, on the same port; port 0 is one that is free on all of them.
// Throws BrokerError.
std::vector<asio::ip::tcp::acceptor> open_acceptors(asio::io_context& io,
                                                    const std::vector<asio::ip::address>& addresses,
                                                    std::uint16_t port);

// Throws BrokerError if one of the addresses cannot be listened on, as open_acceptors() would.
// Binds each of them for a moment, but does not listen, so that no client connects.
void check_addresses(const std::vector<asio::ip::address>& addresses, std::uint16_t port);

}  // namespace haypile::server
