#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <haypile/broker.hpp>

#include "server/addresses.hpp"

using namespace haypile;
using boost::asio::ip::make_address;
using Addresses = std::vector<boost::asio::ip::address>;

TEST_CASE("names become addresses, each once, in their order") {
  CHECK(server::resolve({"127.0.0.3", "127.0.0.2", "127.0.0.3"}) ==
        Addresses{make_address("127.0.0.3"), make_address("127.0.0.2")});
  CHECK(server::resolve({"::1"}) == Addresses{make_address("::1")});
  const Addresses local = server::resolve({"localhost"});
  REQUIRE_FALSE(local.empty());
  for (const auto& address : local)
    CHECK(address.is_loopback());
}

TEST_CASE("without a name it is this machine alone") {
  const Addresses addresses = server::resolve({});
  REQUIRE_FALSE(addresses.empty());
  CHECK(addresses.front() == make_address("127.0.0.1"));
  for (const auto& address : addresses)
    CHECK(address.is_loopback());
}

TEST_CASE("what is no name is refused, and named") {
  for (const char* name : {"", "no such host", "127.0.0.1:5672", "a\nb"}) {
    CHECK_THROWS_AS(server::resolve({"127.0.0.1", name}), BrokerError);
  }
}

TEST_CASE("all addresses have one port, or none is listened on") {
  boost::asio::io_context io;
  const Addresses addresses{make_address("127.0.0.1"), make_address("127.0.0.2"),
                            make_address("127.0.0.3")};
  const auto acceptors = server::open_acceptors(io, addresses, 0);
  REQUIRE(acceptors.size() == 3);
  const std::uint16_t port = acceptors[0].local_endpoint().port();
  for (const auto& acceptor : acceptors)
    CHECK(acceptor.local_endpoint().port() == port);
  CHECK_THROWS_AS(server::open_acceptors(io, {make_address("127.0.0.4"), addresses.back()}, port),
                  BrokerError);
  CHECK_NOTHROW(server::open_acceptors(io, {make_address("127.0.0.4")}, port));
}
