#include "server/supervisor.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include <haypile/amqp/printable.hpp>

#include "server/addresses.hpp"
#include "server/check_options.hpp"
#include "server/clocks.hpp"
#include "server/random.hpp"
#include "server/recovery_report.hpp"

namespace haypile::server {

namespace {

// A ring has at least this number of segments, however small it is.
constexpr std::uint64_t segments_min = 8;
constexpr std::size_t line_max_bytes = 64u << 10;

// Clients that know the product name RabbitMQ look at its version too: this one has all features
// that Haypile has. A transaction alone must not take so much that it can never be committed.
session::Settings settings_of(const BrokerOptions& options) {
  session::Settings settings;
  settings.product = options.product;
  settings.version =
      options.product == session::product_rabbitmq ? "3.10.8" : std::string(HAYPILE_VERSION);
  settings.message_size_max_bytes = options.message_size_max_bytes;
  settings.transaction_max_bytes =
      std::min<std::uint64_t>(settings.transaction_max_bytes, options.memory_limit_bytes / 4);
  return settings;
}

}  // namespace

Supervisor::Supervisor(asio::io_context& io, BrokerOptions options)
    : io_(io),
      options_(checked(std::move(options))),
      settings_(settings_of(options_)),
      admission_(io, {options_.login_max, options_.login_max_per_address},
                 [this](Severity severity, const std::string& line) { report(severity, line); }),
      reactor_(
          io, settings_, admission_, options_.memory_limit_bytes,
          {.report = [this](Severity severity, const std::string& line) { report(severity, line); },
           .fail = [this](const std::string& line) { fail(line); }}) {
  try {
    if (!options_.data_directory.empty()) directory_.emplace(options_.data_directory);
    if (directory_ && !directory_->notice().empty()) report(Severity::info, directory_->notice());
    open_vhost("/");
  } catch (const log::DamageError& error) {
    throw BrokerError(std::string(error.what()) + "; 'haypiled --check " +
                      options_.data_directory.string() +
                      "' lists all damage, '--salvage' drops it");
  } catch (const log::IoError& error) {
    throw BrokerError(error.what());
  }
}

Supervisor::~Supervisor() = default;

// Small logs have small segments.
std::unique_ptr<log::Log> Supervisor::make_log(const std::string& vhost) {
  if (!directory_) return nullptr;
  log::LogOptions log_options{
      .ring_size = options_.log_size_bytes,
      .on_durable = [this] { asio::post(io_, [this] { reactor_.log_advanced(); }); },
      .on_failure =
          [this](const std::string& line) { asio::post(io_, [this, line] { fail(line); }); }};
  log_options.segment_size = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(log_options.segment_size, options_.log_size_bytes / segments_min));
  return std::make_unique<log::Log>(directory_->files(), directory_->vhost_directory(vhost),
                                    directory_->id(), std::move(log_options));
}

void Supervisor::open_vhost(const std::string& name) {
  const vhost::VhostLimits limits{
      .pressure = {.memory_max_bytes = options_.memory_limit_bytes,
                   .disk_free_min_bytes = options_.disk_free_limit_bytes},
      .queue_memory_bytes = options_.queue_memory_bytes};
  auto vhost = std::make_unique<vhost::Vhost>(name, property_codec_, make_log(name), limits,
                                              random_number());
  const log::RecoveryReport found = vhost->start(read_clocks());
  if (directory_) report(Severity::info, "vhost '" + name + "' recovered: " + to_json(found));
  if (directory_) directory_->add_vhost(name);
  reactor_.add_vhost(name, std::move(vhost));
}

Listening Supervisor::listen(const std::vector<asio::ip::address>& addresses, std::uint16_t port) {
  const auto on_accept = [this](Socket socket, Peer peer) {
    adopt(std::move(socket), std::move(peer));
  };
  const auto on_turned_away = [this] { admission_.out_of_descriptors(); };
  Listening listening;
  for (auto& acceptor : open_acceptors(io_, addresses, port)) {
    const auto endpoint = acceptor.local_endpoint();
    listening.port = endpoint.port();
    listening.endpoints.push_back(text(endpoint));
    listeners_.push_back(
        std::make_unique<Listener>(std::move(acceptor), on_accept, on_turned_away));
  }
  return listening;
}

void Supervisor::adopt(Socket socket, Peer peer) {
  if (stopping_ || failed_) return;
  LoginGate::Place place;
  if (!admission_.enter(socket, peer, place)) return;
  report(Severity::debug, "connection from " + peer.name);
  reactor_.adopt(std::move(socket), std::move(peer), std::move(place));
}

void Supervisor::fail(const std::string& line) {
  if (std::exchange(failed_, true)) return;
  reactor_.abandon();
  report(Severity::error, line);
  close_listeners();
  reactor_.close_connections("the broker failed");
  if (options_.on_failure) options_.on_failure(line);
}

void Supervisor::stop() {
  if (std::exchange(stopping_, true)) return;
  admission_.close();
  close_listeners();
  reactor_.stop();
}

void Supervisor::close_listeners() {
  for (const auto& listener : listeners_)
    listener->close();
}

bool Supervisor::close() {
  const bool is_clean = reactor_.close();
  directory_.reset();
  return is_clean;
}

void Supervisor::report(Severity severity, const std::string& line) const {
  if (!options_.report) return;
  options_.report(severity, amqp::printable(line, line_max_bytes));
}

}  // namespace haypile::server
