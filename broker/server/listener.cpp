#include "server/listener.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "server/addresses.hpp"

namespace haypile::server {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

// A socket for both families shows IPv4 peers in the mapped form.
asio::ip::address unmapped(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

// A client that has one IPv6 address usually has all addresses of its network.
std::string network(const asio::ip::address& address) {
  if (address.is_v4()) return address.to_string();
  auto bytes = address.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return asio::ip::address_v6(bytes).to_string();
}

Peer describe(const tcp::endpoint& endpoint) {
  const asio::ip::address address = unmapped(endpoint.address());
  return {text(endpoint), address.is_loopback(), network(address)};
}

int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace

Listener::Listener(asio::ip::tcp::acceptor acceptor, OnAccept on_accept,
                   OnTurnedAway on_turned_away)
    : on_accept_(std::move(on_accept)),
      on_turned_away_(std::move(on_turned_away)),
      acceptor_(std::move(acceptor)),
      timer_(acceptor_.get_executor()),
      spare_(open_spare()) {
  accept();
}

Listener::~Listener() {
  if (spare_ >= 0) ::close(spare_);
}

void Listener::close() {
  acceptor_.close();
  timer_.cancel();
}

void Listener::accept() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (error == asio::error::no_descriptors || error.value() == ENFILE) {
      return turn_away();
    }
    if (error && error != asio::error::connection_aborted) return retry_later();
    error_code gone;
    const tcp::endpoint peer = socket.remote_endpoint(gone);
    if (!gone) on_accept_(Socket(std::move(socket)), describe(peer));
    accept();
  });
}

// Without a descriptor the client would wait in the backlog, and async_accept() would fail again
// and again. So the client's connection is accepted and closed.
void Listener::turn_away() {
  if (spare_ >= 0) ::close(std::exchange(spare_, -1));
  error_code error;
  { tcp::socket refused = acceptor_.accept(error); }
  if (!error) on_turned_away_();
  spare_ = open_spare();
  if (spare_ < 0) return retry_later();
  // Without a free descriptor accept() fails at once, even if nobody is waiting. So wait for a
  // client first.
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](const error_code& failed) {
    if (!failed) accept();
  });
}

void Listener::retry_later() {
  timer_.expires_after(std::chrono::milliseconds(100));
  timer_.async_wait([this](const error_code& error) {
    if (error || !acceptor_.is_open()) return;
    if (spare_ < 0) spare_ = open_spare();
    accept();
  });
}

}  // namespace haypile::server
