#include "tools/baseline/loop.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <span>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace haypile::bench::baseline {

namespace {

constexpr std::size_t connection_count_max = 1024;
// A consumer that does not read is closed: it is sent everything, without any credit.
constexpr std::size_t outbox_size_max = std::size_t{1} << 30;

[[noreturn]] void raise(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Loop::Loop(std::uint16_t port, Syncer* syncer, int signals)
    : syncer_(syncer), signals_(signals), core_(syncer != nullptr) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) raise("epoll");
  listen(port);
  watch(listener_, EPOLLIN, &listener_);
  watch(signals_, EPOLLIN, &signals_);
  if (syncer_ != nullptr) watch(syncer_->wake_descriptor(), EPOLLIN | EPOLLET, syncer_);
}

Loop::~Loop() {
  for (const auto& connection : connections_)
    ::close(connection->socket);
  ::close(listener_);
  ::close(epoll_);
}

void Loop::listen(std::uint16_t port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) raise("socket");
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<::sockaddr*>(&address);
  if (::bind(listener_, generic, size) != 0) raise("bind");
  if (::listen(listener_, SOMAXCONN) != 0) raise("listen");
  if (::getsockname(listener_, generic, &size) != 0) raise("getsockname");
  port_ = ntohs(address.sin_port);
}

void Loop::watch(int descriptor, std::uint32_t events, void* mark, bool known) {
  ::epoll_event event{};
  event.events = events;
  event.data.ptr = mark;
  if (::epoll_ctl(epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &event) != 0) {
    raise("epoll_ctl");
  }
}

void Loop::run() {
  std::array<::epoll_event, 64> events;
  for (;;) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) raise("epoll_wait");
    const auto ready = static_cast<std::size_t>(count < 0 ? 0 : count);
    for (const ::epoll_event& event : std::span(events).first(ready)) {
      if (event.data.ptr == &signals_) return;
      if (event.data.ptr == syncer_) continue;  // finish_turn() reads what is on disk
      if (event.data.ptr == &listener_) {
        accept();
        continue;
      }
      auto& connection = *static_cast<Connection*>(event.data.ptr);
      if ((event.events & EPOLLOUT) != 0) {
        connection.blocked = false;
        watch(connection.socket, EPOLLIN, &connection, true);
        core_.touch(connection);
      }
      if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) receive(connection);
    }
    finish_turn();
  }
}

void Loop::accept() {
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) return;
  if (connections_.size() >= connection_count_max) {
    std::fputs("baseline_loop: too many connections\n", stderr);
    ::close(socket);
    return;
  }
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connections_.push_back(std::make_unique<Connection>(socket));
  watch(socket, EPOLLIN, connections_.back().get());
}

void Loop::receive(Connection& connection) {
  const ::ssize_t size = ::recv(connection.socket, connection.inbox.get() + connection.inbox_size,
                                receive_size_max, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return close(connection);
  if (connection.finished) return;
  connection.inbox_size += static_cast<std::size_t>(size);
  if (core_.take(connection)) return;
  std::fprintf(stderr, "baseline_loop: closing a connection: %s\n", core_.error().c_str());
  close(connection);
}

void Loop::finish_turn() {
  // The log comes first, because it can work while this thread sends.
  if (!core_.batch().empty()) last_batch_ = syncer_->submit(core_.batch());
  core_.note_confirms(last_batch_);
  core_.confirm(syncer_ == nullptr ? last_batch_ : syncer_->done());
  for (Connection* connection : core_.touched()) {
    connection->touched = false;
    if (!connection->closed) send(*connection);
  }
  core_.touched().clear();
  if (any_closed_) std::erase_if(connections_, [](const auto& it) { return it->closed; });
  any_closed_ = false;
}

void Loop::send(Connection& connection) {
  if (connection.outbox.size() > outbox_size_max) {
    std::fputs("baseline_loop: closing a connection that does not read\n", stderr);
    return close(connection);
  }
  if (connection.blocked) return;
  if (!connection.outbox.empty()) {
    const std::string_view bytes = connection.outbox.view();
    const ::ssize_t size = ::send(connection.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN && errno != EINTR) return close(connection);
    if (size > 0) connection.outbox.consume(static_cast<std::size_t>(size));
  }
  if (!connection.outbox.empty()) {
    connection.blocked = true;
    watch(connection.socket, EPOLLIN | EPOLLOUT, &connection, true);
  } else if (connection.finished) {
    close(connection);
  }
}

void Loop::close(Connection& connection) {
  core_.forget(connection);
  ::close(connection.socket);
  connection.closed = true;
  any_closed_ = true;
}

}  // namespace haypile::bench::baseline
