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

namespace {

std::optional<TlsSession> tls_session(const ConnectionOptions& options) {
  if (!options.tls) return std::nullopt;
  return TlsSession(TlsContext(*options.tls), options.host);
}

std::shared_ptr<ConnectionImpl> log_in(Transport transport, const ConnectionOptions& options,
                                       TimePoint started) {
  if (!options.password_callback || options.external_login) {
    return std::make_shared<ConnectionImpl>(std::move(transport), options, started);
  }
  ConnectionOptions with_password = options;
  with_password.password = options.password_callback();
  return std::make_shared<ConnectionImpl>(std::move(transport), with_password, started);
}

std::shared_ptr<ConnectionImpl> connect(const ConnectionOptions& options) {
  const TimePoint started = Clock::now();
  std::optional<TlsSession> tls = tls_session(options);
  Socket socket = Socket::connect(options, started + options.connection_timeout);
  return log_in(Transport(std::move(socket), std::move(tls)), options, started);
}

}  // namespace

Connection::Connection(std::string_view uri) : Connection(ConnectionOptions::from_uri(uri)) {}

Connection::Connection(const ConnectionOptions& options) : impl_(connect(options)) {}

Connection::Connection(std::shared_ptr<ConnectionImpl> impl) : impl_(std::move(impl)) {}

Connection Connection::over_socket(int descriptor, const ConnectionOptions& options) {
  Socket socket(descriptor);  // owns it, whatever is thrown
  std::optional<TlsSession> tls = tls_session(options);
  return Connection(log_in(Transport(std::move(socket), std::move(tls)), options, Clock::now()));
}

Connection::~Connection() {
  if (!impl_) return;
  try {
    close();
  } catch (const Error&) {
    // Nobody is left who could be told.
  }
}

Connection::Connection(Connection&&) noexcept = default;

Connection& Connection::operator=(Connection&& other) noexcept {
  Connection old(std::move(*this));
  impl_ = std::move(other.impl_);
  return *this;
}

ConnectionImpl& Connection::impl() const {
  if (!impl_) throw Error("this Connection was moved from");
  return *impl_;
}

Channel Connection::channel() {
  impl();
  return Channel(ChannelImpl::open(impl_));
}

void Connection::run() {
  impl();
  const auto kept = impl_;
  kept->run(std::nullopt);
}

bool Connection::run_for(std::chrono::milliseconds duration) {
  impl();
  const auto kept = impl_;
  return kept->run(Clock::now() + duration);
}

void Connection::stop() noexcept {
  if (impl_) impl_->stop();
}

void Connection::close() {
  ConnectionImpl::Lock lock = impl().lock();
  impl_->close(lock);
}

bool Connection::is_open() const {
  if (!impl_) return false;
  const ConnectionImpl::Lock lock = impl_->lock();
  return impl_->is_open();
}

bool Connection::is_blocked() const {
  const ConnectionImpl::Lock lock = impl().lock();
  return impl_->is_blocked();
}

void Connection::on_blocked(BlockedCallback callback) {
  const ConnectionImpl::Lock lock = impl().lock();
  impl_->set_blocked_callback(std::move(callback));
}

}  // namespace haypile
