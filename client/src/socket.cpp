#include "socket.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <haypile/error.hpp>

#include "resolve.hpp"

namespace haypile {

namespace {

std::string text(int error) {
  return std::generic_category().message(error);
}

int poll_timeout(std::optional<TimePoint> until) {
  if (!until) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

// Returns 0 or an error number.
int try_connect(int descriptor, const Address& address, TimePoint until) {
  if (::connect(descriptor, address.get(), address.size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd poll{descriptor, POLLOUT, 0};
  int count = 0;
  do {
    count = ::poll(&poll, 1, poll_timeout(until));
  } while (count < 0 && errno == EINTR);
  if (count == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

Descriptor::~Descriptor() {
  if (value_ >= 0) ::close(value_);
}
Descriptor::Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}

int Descriptor::release() {
  return std::exchange(value_, -1);
}

Waker::Waker() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_.get() < 0) throw ConnectionFailed("no event descriptor: " + text(errno));
}

void Waker::wake() noexcept {
  const std::uint64_t one = 1;
  const int saved = errno;
  [[maybe_unused]] const ssize_t count = ::write(descriptor_.get(), &one, sizeof one);
  errno = saved;
}

void Waker::clear() {
  std::uint64_t value = 0;
  [[maybe_unused]] const ssize_t count = ::read(descriptor_.get(), &value, sizeof value);
}

Socket::Socket(int descriptor) : descriptor_(descriptor) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails in-process
}

Socket Socket::connect(const ConnectionOptions& options, TimePoint until) {
  int error = 0;
  for (const Address& address : resolve(options.host, options.port, until)) {
    Descriptor descriptor(
        ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (descriptor.get() < 0) {
      error = errno;
      continue;
    }
    error = try_connect(descriptor.get(), address, until);
    if (error == 0) return Socket(descriptor.release());
  }
  throw ConnectionFailed("cannot connect to " + options.host + ":" + std::to_string(options.port) +
                         ": " + text(error));
}

std::size_t Socket::send(std::string_view bytes, std::string& error) {
  const ssize_t count =
      ::send(descriptor_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) error = text(errno);
  return 0;
}

bool Socket::receive(std::string& into, std::size_t size_max, std::string& error) {
  const std::size_t before = into.size();
  into.resize(before + size_max);
  const ssize_t count = ::recv(descriptor_.get(), into.data() + before, size_max, MSG_DONTWAIT);
  into.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (count > 0) return true;
  if (count == 0) return false;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return true;
  error = text(errno);
  return false;
}

Socket::Ready Socket::wait(bool want_writable, const Waker& waker,
                           std::optional<TimePoint> until) const {
  pollfd polls[2] = {
      {descriptor_.get(), static_cast<short>(want_writable ? POLLIN | POLLOUT : POLLIN), 0},
      {waker.descriptor(), POLLIN, 0}};
  if (::poll(polls, 2, poll_timeout(until)) <= 0) return {};
  return {(polls[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0, (polls[0].revents & POLLOUT) != 0,
          (polls[1].revents & POLLIN) != 0};
}

void Socket::wait_writable(TimePoint until) const {
  pollfd poll{descriptor_.get(), POLLOUT, 0};
  ::poll(&poll, 1, poll_timeout(until));
}

}  // namespace haypile
