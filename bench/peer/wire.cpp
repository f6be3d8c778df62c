#include "peer/wire.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace haypile::bench::peer {

namespace {
constexpr std::size_t read_size = 256u << 10;
constexpr std::string_view line_end = "\r\n";
}  // namespace

Wire::Wire(std::uint16_t port, std::size_t job_size)
    : name_("127.0.0.1:" + std::to_string(port)), in_(read_size + job_size) {
  connect(port);
}

Wire::~Wire() {
  ::close(descriptor_);
}

void Wire::refuse(const std::string& why) const {
  throw std::runtime_error(name_ + " " + why);
}

void Wire::connect(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor_ >= 0 &&
      ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return;
  }
  const std::string why = std::generic_category().message(errno);
  if (descriptor_ >= 0) ::close(descriptor_);
  refuse("cannot be reached: " + why);
}

std::string Wire::call(std::string_view command) {
  out += command;
  while (!flush()) {
  }
  std::string line;
  for (bool is_complete = false; !is_complete;) {
    read([&](std::string_view bytes) {
      const std::size_t end = bytes.find(line_end);
      is_complete = end != std::string_view::npos;
      if (!is_complete) return std::size_t{0};
      line = bytes.substr(0, end);
      return end + line_end.size();
    });
  }
  return line;
}

void Wire::drop(std::size_t count) {
  while (true) {
    const std::size_t here = std::min(count, in_size_);
    keep_from(here);
    count -= here;
    if (count == 0) return;
    receive();
  }
}

void Wire::start() {
  ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK);
}

bool Wire::flush() {
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

void Wire::receive() {
  const ssize_t count = ::recv(descriptor_, in_.data() + in_size_, in_.size() - in_size_, 0);
  if (count == 0) refuse("has closed the connection");
  if (count < 0 && errno != EAGAIN && errno != EINTR) {
    refuse("cannot be read from: " + std::generic_category().message(errno));
  }
  if (count > 0) in_size_ += static_cast<std::size_t>(count);
}

void Wire::keep_from(std::size_t at) {
  if (at == 0) return;
  std::memmove(in_.data(), in_.data() + at, in_size_ - at);
  in_size_ -= at;
}

}  // namespace haypile::bench::peer
