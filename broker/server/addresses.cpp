#include "server/addresses.hpp"

#include <algorithm>
#include <optional>

#include <boost/asio/ip/v6_only.hpp>

#include <haypile/broker.hpp>

namespace haypile::server {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

// How often another port is tried if the port that was free on the first address is taken on
// another one.
constexpr int attempts_max = 100;

bool has_ipv6_loopback() {
  asio::io_context io;
  tcp::acceptor probe(io);
  error_code error;
  probe.open(tcp::v6(), error);
  if (!error) probe.bind({asio::ip::address_v6::loopback(), 0}, error);
  return !error;
}

struct Failure {
  tcp::endpoint endpoint;
  error_code error;
};

[[noreturn]] void fail(const Failure& failure) {
  throw BrokerError("cannot listen on " + text(failure.endpoint) + ": " + failure.error.message());
}

// "::" includes IPv4, unless an IPv4 address is listened on besides.
bool has_v4(const std::vector<asio::ip::address>& addresses) {
  return std::ranges::any_of(addresses, &asio::ip::address::is_v4);
}

tcp::acceptor bind_one(asio::io_context& io, const tcp::endpoint& endpoint, bool is_only_v6,
                       error_code& error) {
  tcp::acceptor acceptor(io);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && is_only_v6) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(endpoint, error);
  return acceptor;
}

tcp::acceptor open_one(asio::io_context& io, const tcp::endpoint& endpoint, bool is_only_v6,
                       error_code& error) {
  tcp::acceptor acceptor = bind_one(io, endpoint, is_only_v6, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (!error) acceptor.non_blocking(true, error);
  return acceptor;
}

std::optional<Failure> open_all(asio::io_context& io,
                                const std::vector<asio::ip::address>& addresses, std::uint16_t port,
                                std::vector<tcp::acceptor>& acceptors) {
  const bool is_only_v6 = has_v4(addresses);
  for (const asio::ip::address& address : addresses) {
    const tcp::endpoint endpoint(address, port);
    error_code error;
    auto acceptor = open_one(io, endpoint, address.is_v6() && is_only_v6, error);
    if (error) return Failure{endpoint, error};
    port = acceptor.local_endpoint().port();
    acceptors.push_back(std::move(acceptor));
  }
  return std::nullopt;
}

}  // namespace

std::string text(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

std::vector<asio::ip::address> resolve(const std::vector<std::string>& names) {
  std::vector<asio::ip::address> addresses;
  const auto add = [&](const asio::ip::address& address) {
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  };
  if (names.empty()) {
    add(asio::ip::address_v4::loopback());
    if (has_ipv6_loopback()) add(asio::ip::address_v6::loopback());
  }
  asio::io_context io;
  tcp::resolver resolver(io);
  for (const std::string& name : names) {
    error_code error;
    const auto found = resolver.resolve(name, "", tcp::resolver::passive, error);
    if (error || found.empty() || name.empty()) {
      throw BrokerError("cannot listen on '" + name +
                        "': " + (error ? error.message() : "it has no address"));
    }
    for (const auto& entry : found)
      add(entry.endpoint().address());
  }
  return addresses;
}

std::vector<tcp::acceptor> open_acceptors(asio::io_context& io,
                                          const std::vector<asio::ip::address>& addresses,
                                          std::uint16_t port) {
  for (int attempt = 1;; ++attempt) {
    std::vector<tcp::acceptor> acceptors;
    const auto failure = open_all(io, addresses, port, acceptors);
    if (!failure) return acceptors;
    const bool is_taken = failure->error == asio::error::address_in_use;
    if (port != 0 || !is_taken || acceptors.empty() || attempt == attempts_max) fail(*failure);
  }
}

void check_addresses(const std::vector<asio::ip::address>& addresses, std::uint16_t port) {
  asio::io_context io;
  for (const asio::ip::address& address : addresses) {
    const tcp::endpoint endpoint(address, port);
    error_code error;
    const auto bound = bind_one(io, endpoint, address.is_v6() && has_v4(addresses), error);
    if (error) fail({endpoint, error});
  }
}

}  // namespace haypile::server
