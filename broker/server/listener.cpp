#include "server/listener.hpp"

#include <chrono>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <haypile/broker.hpp>

namespace haypile::server {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

std::string text(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

// The mapped form is how a socket for both families shows IPv4 peers.
bool is_loopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace

Listener::Listener(asio::io_context& io, const std::string& address, std::uint16_t port,
                   OnAccept on_accept, OnError on_error)
    : on_accept_(std::move(on_accept)),
      on_error_(std::move(on_error)),
      acceptor_(io),
      timer_(io),
      spare_(open_spare()) {
  error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) throw BrokerError("cannot listen on '" + address + "': not a numeric IP address");
  const tcp::endpoint endpoint(ip, port);
  const auto check = [&] {
    if (error) throw BrokerError("cannot listen on " + text(endpoint) + ": " + error.message());
  };
  acceptor_.open(endpoint.protocol(), error);
  check();
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  check();
  acceptor_.bind(endpoint, error);
  check();
  acceptor_.listen(tcp::acceptor::max_listen_connections, error);
  check();
  acceptor_.non_blocking(true, error);
  port_ = acceptor_.local_endpoint().port();
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
    turning_away_ = false;
    error_code gone;
    const tcp::endpoint peer = socket.remote_endpoint(gone);
    if (!gone) on_accept_(Socket(std::move(socket)), {text(peer), is_loopback(peer.address())});
    accept();
  });
}

// Out of descriptors the client would wait in the backlog, and we would spin: it is told by a
// closed connection instead.
void Listener::turn_away() {
  if (!std::exchange(turning_away_, true)) {
    on_error_("out of file descriptors: new connections are closed at once");
  }
  if (spare_ >= 0) ::close(std::exchange(spare_, -1));
  error_code error;
  { tcp::socket refused = acceptor_.accept(error); }
  spare_ = open_spare();
  if (spare_ < 0) return retry_later();
  // Without a free descriptor an accept fails at once, also while there is nobody to accept.
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
