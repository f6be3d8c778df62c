#include <haypile/connection.hpp>

#include <utility>

#include "channel_impl.hpp"
#include "connection_impl.hpp"

namespace haypile {

Properties Message::properties() const {
  Properties properties;
  static_cast<void>(amqp::decode_properties(raw_properties(), properties));
  return properties;
}

Connection::Connection(std::string_view uri) : Connection(ConnectionOptions::from_uri(uri)) {}

Connection::Connection(const ConnectionOptions& options)
    : impl_(std::make_shared<ConnectionImpl>(Socket::connect(options), options)) {}

Connection::Connection(std::shared_ptr<ConnectionImpl> impl) : impl_(std::move(impl)) {}

Connection Connection::over_socket(int descriptor, const ConnectionOptions& options) {
  return Connection(std::make_shared<ConnectionImpl>(Socket(descriptor), options));
}

Connection::~Connection() {
  try {
    if (impl_) impl_->close();
  } catch (const Error&) {
    // Nobody is left who could be told.
  }
}

Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

Channel Connection::channel() {
  impl_->check_open();
  const std::uint16_t number = impl_->protocol().open_channel();
  if (number == 0) throw Error("no channel number is free: all are open");
  auto channel = std::make_unique<ChannelImpl>(impl_, number);
  channel->answer(amqp::channel::OpenOk::id);
  return Channel(std::move(channel));
}

void Connection::close() {
  impl_->close();
}

bool Connection::is_open() const {
  return impl_->protocol().state() == Protocol::State::open;
}

bool Connection::is_blocked() const {
  return impl_->protocol().blocked();
}

}  // namespace haypile
