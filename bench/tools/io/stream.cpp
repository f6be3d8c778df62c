#include "tools/io/stream.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace haypile::bench {

namespace {
constexpr std::size_t read_size = 256u << 10;
}  // namespace

Stream::Stream(const std::string& host, const std::string& port) : name_(host + ":" + port) {
  connect(host, port);
}

Stream::~Stream() {
  ::close(descriptor_);
}

void Stream::refuse(const std::string& why) const {
  throw std::runtime_error(name_ + " " + why);
}

void Stream::connect(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) refuse("is not known");
  descriptor_ = ::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
  const bool is_there =
      descriptor_ >= 0 && ::connect(descriptor_, found->ai_addr, found->ai_addrlen) == 0;
  const std::string why = std::generic_category().message(errno);
  ::freeaddrinfo(found);
  if (is_there) {
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return;
  }
  if (descriptor_ >= 0) ::close(descriptor_);
  refuse("cannot be reached: " + why);
}

void Stream::start() {
  ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK);
}

bool Stream::flush() {
  std::size_t sent = 0;
  while (sent < out.size()) {
    const ssize_t count = ::send(descriptor_, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) refuse("cannot be written to: " + std::generic_category().message(errno));
    sent += static_cast<std::size_t>(count);
  }
  out.erase(0, sent);
  return out.empty();
}

void Stream::receive() {
  if (in_.size() < in_size_ + read_size) in_.resize(in_size_ + read_size);
  const ssize_t count = ::recv(descriptor_, in_.data() + in_size_, read_size, 0);
  if (count == 0) refuse("has closed the connection");
  if (count < 0 && errno != EAGAIN && errno != EINTR) {
    refuse("cannot be read from: " + std::generic_category().message(errno));
  }
  if (count > 0) in_size_ += static_cast<std::size_t>(count);
}

void Stream::drop_first(std::size_t count) {
  if (count == 0) return;
  std::memmove(in_.data(), in_.data() + count, in_size_ - count);
  in_size_ -= count;
}

}  // namespace haypile::bench
