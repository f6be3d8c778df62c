#include "server/core.hpp"

#include <utility>

#include <boost/asio/post.hpp>

#include "server/connection.hpp"

namespace haypile::server {

namespace {

constexpr std::size_t read_size_bytes = 256u << 10;
// With more than this to write the log has fallen behind.
constexpr std::size_t pending_max_bytes = 64u << 20;
constexpr std::chrono::seconds stop_timeout{2};

}  // namespace

Core::Core(asio::io_context& io, BrokerOptions options)
    : io_(io), options_(std::move(options)), stop_timer_(io) {
  settings_.product = options_.product;
  settings_.version = HAYPILE_VERSION;
  settings_.message_size_max_bytes = options_.message_size_max_bytes;
  read_buffer_.resize(settings_.frame_max_bytes + read_size_bytes);
  try {
    if (!options_.data_directory.empty()) directory_.emplace(options_.data_directory);
    open_vhost("/");
  } catch (const log::IoError& error) {
    throw BrokerError(error.what());
  }
}

Core::~Core() = default;

void Core::open_vhost(const std::string& name) {
  if (!directory_) {
    vhosts_.emplace(name, std::make_unique<Vhost>(name));
    return;
  }
  auto vhost = std::make_unique<Vhost>(
      name, *directory_, [this] { asio::post(io_, [this] { log_advanced(); }); },
      [this](const std::string& line) { asio::post(io_, [this, line] { fail(line); }); });
  report(Severity::info, "vhost '" + name + "' recovered: " + vhost->report());
  vhosts_.emplace(name, std::move(vhost));
}

std::uint16_t Core::listen(const std::string& address, std::uint16_t port) {
  const auto on_accept = [this](Socket socket, Peer peer) {
    adopt(std::move(socket), std::move(peer));
  };
  const auto on_error = [this](const std::string& line) { report(Severity::warning, line); };
  listeners_.push_back(std::make_unique<Listener>(io_, address, port, on_accept, on_error));
  return listeners_.back()->port();
}

void Core::adopt(Socket socket, Peer peer) {
  if (stopping_ || failed_) return;
  report(Severity::debug, "connection from " + peer.name);
  const auto connection =
      std::make_shared<Connection>(*this, std::move(socket), std::move(peer), ++last_id_);
  connections_.emplace(connection->id(), connection);
  connection->start();
}

void Core::remove(const Connection& connection, const std::string& peer,
                  const std::string& reason) {
  report(reason.empty() ? Severity::debug : Severity::info,
         "connection from " + peer + " ended" + (reason.empty() ? "" : ": " + reason));
  connections_.erase(connection.id());
  schedule_flush();  // what it held unacked may have gone to others, and to the log
  if (stopping_ && connections_.empty()) stop_timer_.cancel();
}

engine::Engine* Core::find_vhost(std::string_view name) {
  const auto found = vhosts_.find(std::string(name));
  return found == vhosts_.end() ? nullptr : &found->second->engine();
}

void Core::add_dirty(std::shared_ptr<Connection> connection) {
  dirty_.push_back(std::move(connection));
  schedule_flush();
}

void Core::await_log(std::shared_ptr<Connection> connection) {
  awaiting_log_.push_back(std::move(connection));
}

bool Core::holds_publishers_back() const {
  for (const auto& [name, vhost] : vhosts_) {
    if (vhost->pending_bytes() > pending_max_bytes) return true;
  }
  return false;
}

void Core::add_held_back(std::shared_ptr<Connection> connection) {
  held_back_.push_back(std::move(connection));
}

void Core::schedule_flush() {
  if (std::exchange(flush_scheduled_, true)) return;
  asio::post(io_, [this] { flush(); });
}

void Core::flush() {
  flush_scheduled_ = false;
  for (const auto& [name, vhost] : vhosts_)
    vhost->flush();
  at_hand_.swap(dirty_);
  for (const auto& connection : at_hand_)
    connection->flush();
  at_hand_.clear();
}

void Core::log_advanced() {
  at_hand_.swap(awaiting_log_);
  for (const auto& connection : at_hand_)
    connection->log_advanced();
  at_hand_.clear();
  if (held_back_.empty() || holds_publishers_back()) return;
  at_hand_.swap(held_back_);
  for (const auto& connection : at_hand_)
    connection->resume_reading();
  at_hand_.clear();
}

void Core::fail(const std::string& line) {
  if (std::exchange(failed_, true)) return;
  report(Severity::error, line);
  for (const auto& listener : listeners_)
    listener->close();
  close_connections("the broker failed");
  if (options_.on_failure) options_.on_failure(line);
}

void Core::stop() {
  if (std::exchange(stopping_, true)) return;
  for (const auto& listener : listeners_)
    listener->close();
  const auto all = connections_;
  for (const auto& [id, connection] : all)
    connection->shut_down();
  if (connections_.empty()) return;
  stop_timer_.expires_after(stop_timeout);
  stop_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) close_connections("did not answer connection.close");
  });
}

void Core::close_connections(const std::string& reason) {
  const auto all = connections_;
  for (const auto& [id, connection] : all)
    connection->close(reason);
}

void Core::close() {
  dirty_.clear();
  awaiting_log_.clear();
  held_back_.clear();
  connections_.clear();
  if (!failed_) {
    for (const auto& [name, vhost] : vhosts_)
      vhost->close_clean();
  }
  vhosts_.clear();
  directory_.reset();
}

void Core::report(Severity severity, const std::string& line) const {
  if (options_.report) options_.report(severity, line);
}

}  // namespace haypile::server
