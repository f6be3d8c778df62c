#include "load/link.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <variant>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <haypile/amqp/table.hpp>

namespace haypile::bench::load {

namespace {
constexpr std::size_t read_size = 256u << 10;
}  // namespace

Link::Link(const Address& address) : name_(address.host + ":" + address.port) {
  connect(address);
  try {
    log_in(address);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

Link::~Link() {
  ::close(descriptor_);
}

void Link::refuse(const std::string& why) const {
  throw std::runtime_error(name_ + " " + why);
}

void Link::connect(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found) != 0) {
    refuse("is not known");
  }
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

void Link::log_in(const Address& address) {
  out = amqp::protocol_header;
  while (!flush()) {
  }
  if (!std::holds_alternative<amqp::connection::Start>(wait_for_method())) refuse("does not start");
  amqp::Table capabilities;
  capabilities.set("basic.nack", true);
  capabilities.set("publisher_confirms", true);
  amqp::Table properties;
  properties.set("product", "haypile-perf");
  properties.set("capabilities", capabilities);
  const std::string response = '\0' + address.user + '\0' + address.password;
  const auto tune = call_on<amqp::connection::Tune>(
      0, amqp::connection::StartOk{.client_properties = properties.view(),
                                   .mechanism = "PLAIN",
                                   .response = response,
                                   .locale = "en_US"});
  if (tune.frame_max != 0) frame_max_ = tune.frame_max;
  amqp::append_method(
      out, 0,
      amqp::connection::TuneOk{
          .channel_max = tune.channel_max, .frame_max = frame_max_, .heartbeat = 0});
  call_on<amqp::connection::OpenOk>(0, amqp::connection::Open{.virtual_host = "/"});
  call<amqp::channel::OpenOk>(amqp::channel::Open{});
}

amqp::Method Link::wait_for_method() {
  while (true) {
    keep_from(std::exchange(taken_, 0));
    amqp::Frame frame;
    const auto status = amqp::parse_frame({in_.data(), in_size_}, 0, frame, taken_);
    if (status == amqp::FrameStatus::incomplete) {
      receive();
      continue;
    }
    if (status != amqp::FrameStatus::complete) refuse("sent what is no frame");
    if (frame.type != amqp::FrameType::method) continue;
    amqp::Method method;
    if (amqp::decode_method(frame.payload, method) != amqp::DecodeError::none) {
      refuse("sent a method that cannot be read");
    }
    if (const auto* close = std::get_if<amqp::connection::Close>(&method)) {
      refuse("closes the connection: " + std::string(close->reply_text));
    }
    if (const auto* close = std::get_if<amqp::channel::Close>(&method)) {
      refuse("closes the channel: " + std::string(close->reply_text));
    }
    return method;
  }
}

void Link::start() {
  keep_from(std::exchange(taken_, 0));
  ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK);
}

bool Link::flush() {
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

void Link::receive() {
  if (in_.size() < in_size_ + read_size) in_.resize(in_size_ + read_size);
  const ssize_t count = ::recv(descriptor_, in_.data() + in_size_, read_size, 0);
  if (count == 0) refuse("has closed the connection");
  if (count < 0 && errno != EAGAIN && errno != EINTR) {
    refuse("cannot be read from: " + std::generic_category().message(errno));
  }
  if (count > 0) in_size_ += static_cast<std::size_t>(count);
}

void Link::keep_from(std::size_t at) {
  if (at == 0) return;
  std::memmove(in_.data(), in_.data() + at, in_size_ - at);
  in_size_ -= at;
}

}  // namespace haypile::bench::load
