#include "server/core.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "server/connection.hpp"
#include "server/machine.hpp"

namespace haypile::server {

namespace {

constexpr std::size_t read_size_bytes = 256u << 10;
// With so much ready in queues, no more than so much is read of publishers in a turn, or a little
// more; the others wait for the next one, in which the acknowledgements that have come are heard
// before them and make room for deliveries. Otherwise more would come in with each turn than go
// out, and the backlog would grow although its consumers had time to spare. Who publishes too fast
// is held back by its socket.
constexpr std::size_t backlog_bytes = 256u << 10;
constexpr std::size_t publish_turn_bytes = 16u << 10;
constexpr engine::TimeMs disk_check_interval_ms = 200;
constexpr std::uint64_t disk_check_bytes = 1u << 20;
constexpr std::uint64_t segments_min = 8;
constexpr std::chrono::seconds stop_timeout{2};
constexpr std::chrono::seconds look_after_interval{1};

}  // namespace

Core::Core(asio::io_context& io, BrokerOptions options)
    : io_(io),
      options_(std::move(options)),
      memory_limit_bytes_(options_.memory_limit_bytes != 0 ? options_.memory_limit_bytes
                                                           : machine_memory_bytes() / 2),
      epoch_(std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::system_clock::now().time_since_epoch() -
          std::chrono::steady_clock::now().time_since_epoch())),
      disk_timer_(io),
      stop_timer_(io),
      engine_timer_(io),
      held_back_timer_(io) {
  settings_.product = options_.product;
  // Whoever goes by that name looks at the version too: of one that has all that is here.
  settings_.version =
      options_.product == session::product_rabbitmq ? "3.10.8" : std::string(HAYPILE_VERSION);
  // Sizes in memory have 32 bits.
  settings_.message_size_max_bytes =
      std::min<std::uint64_t>(options_.message_size_max_bytes, UINT32_MAX);
  // One transaction alone must not be what keeps itself from being committed.
  settings_.transaction_max_bytes =
      std::min<std::uint64_t>(settings_.transaction_max_bytes, memory_limit_bytes_ / 4);
  read_buffer_.resize(settings_.frame_max_bytes + read_size_bytes);
  try {
    if (!options_.data_directory.empty()) directory_.emplace(options_.data_directory);
    open_vhost("/");
  } catch (const log::DamageError& error) {
    throw BrokerError(std::string(error.what()) + "; 'haypiled --check " +
                      options_.data_directory.string() +
                      "' lists all damage, '--salvage' drops it");
  } catch (const log::IoError& error) {
    throw BrokerError(error.what());
  }
}

Core::~Core() = default;

void Core::open_vhost(const std::string& name) {
  if (!directory_) {
    vhosts_.emplace(name, std::make_unique<Vhost>(name, now()));
    return;
  }
  // Small logs have small segments.
  log::LogOptions log_options{
      .ring_size = options_.log_size_bytes,
      .on_durable = [this] { asio::post(io_, [this] { log_advanced(); }); },
      .on_failure =
          [this](const std::string& line) { asio::post(io_, [this, line] { fail(line); }); }};
  log_options.segment_size = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(log_options.segment_size, options_.log_size_bytes / segments_min));
  auto vhost = std::make_unique<Vhost>(name, now(), *directory_, std::move(log_options),
                                       options_.queue_memory_bytes);
  report(Severity::info, "vhost '" + name + "' recovered: " + vhost->report());
  vhosts_.emplace(name, std::move(vhost));
  schedule_flush();  // some of what it found may have expired
}

engine::TimeMs Core::now() const {
  const auto time = std::chrono::steady_clock::now().time_since_epoch() + epoch_;
  return static_cast<engine::TimeMs>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

void Core::update_clock() {
  for (const auto& [name, vhost] : vhosts_)
    vhost->engine().set_now(now());
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
  std::erase_if(held_back_, [&](const auto& held) { return held.get() == &connection; });
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
  if (memory_alarm_ || disk_alarm_) return true;
  for (const auto& [name, vhost] : vhosts_) {
    if (vhost->is_behind()) return true;
  }
  return false;
}

void Core::add_held_back(std::shared_ptr<Connection> connection) {
  held_back_.push_back(std::move(connection));
  look_after_held_back();
}

// Nothing is read from them, so that nothing else would tell that one has gone.
void Core::look_after_held_back() {
  if (std::exchange(looking_after_, true)) return;
  held_back_timer_.expires_after(look_after_interval);
  held_back_timer_.async_wait([this](const boost::system::error_code& error) {
    looking_after_ = false;
    if (error || held_back_.empty()) return;
    const Connections held_back = held_back_;
    for (const auto& connection : held_back)
      connection->look_after();
    if (!held_back_.empty()) look_after_held_back();
  });
}

void Core::schedule_flush() {
  if (std::exchange(flush_scheduled_, true)) return;
  asio::post(io_, [this] { flush(); });
}

void Core::add_publisher(std::shared_ptr<Connection> connection) {
  publishers_.push_back(std::move(connection));
  schedule_flush();
}

std::size_t Core::publisher_read_size_bytes() const {
  return has_backlog() ? publish_turn_bytes : read_size_bytes;
}

bool Core::has_backlog() const {
  std::size_t ready_bytes = 0;
  for (const auto& [name, vhost] : vhosts_)
    ready_bytes += vhost->engine().movable_bytes();
  return ready_bytes > backlog_bytes;
}

bool Core::defers_publishers() const {
  return !publishers_.empty() || (published_bytes_ >= publish_turn_bytes && has_backlog());
}

void Core::read_publishers() {
  while (!publishers_.empty() && (published_bytes_ < publish_turn_bytes || !has_backlog())) {
    const auto connection = std::move(publishers_.front());
    publishers_.pop_front();
    connection->read();
  }
  published_bytes_ = 0;
}

void Core::flush() {
  read_publishers();
  flush_scheduled_ = false;
  for (const auto& [name, vhost] : vhosts_)
    vhost->flush();
  at_hand_.swap(dirty_);
  for (const auto& connection : at_hand_)
    connection->flush();
  at_hand_.clear();
  check_memory();
  check_disk();
  let_publishers_go_on();
  arm_engine_timer();
  if (!publishers_.empty()) schedule_flush();
}

void Core::check_memory() {
  std::size_t bytes = 0;
  for (const auto& [name, vhost] : vhosts_)
    bytes += vhost->engine().memory_bytes();
  if (!memory_alarm_ && bytes > memory_limit_bytes_) {
    memory_alarm_ = true;
    report(Severity::warning, "messages take " + std::to_string(bytes) +
                                  " bytes of memory, more than the limit of " +
                                  std::to_string(memory_limit_bytes_) + ": publishers are blocked");
  } else if (memory_alarm_ && bytes < memory_limit_bytes_ / 10 * 9) {
    memory_alarm_ = false;
    report(Severity::info, "memory is below the limit again: publishers go on");
  }
}

// Between two looks less is written than the disk has to have left.
void Core::check_disk() {
  if (stopping_ || disk_alarm_) return;
  std::uint64_t bytes = 0;
  for (const auto& [name, vhost] : vhosts_)
    bytes += vhost->appended_bytes();
  if (bytes < disk_checked_at_bytes_ + disk_check_bytes &&
      now() < disk_checked_at_ + disk_check_interval_ms) {
    return;
  }
  disk_checked_at_ = now();
  disk_checked_at_bytes_ = bytes;
  set_disk_alarm(std::ranges::any_of(vhosts_, [this](const auto& vhost) {
    return vhost.second->is_out_of_space(options_.disk_free_limit_bytes);
  }));
}

void Core::set_disk_alarm(bool is_out_of_space) {
  if (is_out_of_space != disk_alarm_) {
    disk_alarm_ = is_out_of_space;
    report(disk_alarm_ ? Severity::warning : Severity::info,
           disk_alarm_ ? "the disk is nearly full: publishers are blocked"
                       : "there is room on the disk again: publishers go on");
  }
  if (!disk_alarm_ || stopping_) return;
  for (const auto& [name, vhost] : vhosts_)
    vhost->look_for_space();
  disk_timer_.expires_after(std::chrono::milliseconds(disk_check_interval_ms));
  disk_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const std::uint64_t wanted = options_.disk_free_limit_bytes / 8 * 9;
    set_disk_alarm(std::ranges::any_of(
        vhosts_, [&](const auto& vhost) { return vhost.second->is_out_of_space(wanted); }));
    if (!disk_alarm_) schedule_flush();
  });
}

void Core::let_publishers_go_on() {
  if (held_back_.empty() || holds_publishers_back()) return;
  Connections held_back;
  held_back.swap(held_back_);
  for (const auto& connection : held_back)
    connection->go_on();
}

// Set anew only when it has to go off earlier, or has gone off.
void Core::arm_engine_timer() {
  engine::TimeMs deadline = engine::no_deadline;
  for (const auto& [name, vhost] : vhosts_)
    deadline = std::min(deadline, vhost->engine().next_deadline());
  if (deadline >= engine_timer_set_for_ || stopping_) return;
  engine_timer_set_for_ = deadline;
  engine_timer_.expires_at(
      std::chrono::steady_clock::time_point(std::chrono::milliseconds(deadline) - epoch_));
  engine_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) advance_engines();
  });
}

void Core::advance_engines() {
  engine_timer_set_for_ = engine::no_deadline;
  for (const auto& [name, vhost] : vhosts_)
    vhost->engine().advance(now());
  schedule_flush();
}

void Core::log_advanced() {
  update_clock();
  at_hand_.swap(awaiting_log_);
  for (const auto& connection : at_hand_)
    connection->log_advanced();
  at_hand_.clear();
  if (!held_back_.empty()) schedule_flush();
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
  engine_timer_.cancel();
  held_back_timer_.cancel();
  disk_timer_.cancel();
  for (const auto& listener : listeners_)
    listener->close();
  const auto all = connections_;
  for (const auto& [id, connection] : all)
    connection->stop_deliveries();
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
    connection->stop_deliveries();
  for (const auto& [id, connection] : all)
    connection->close(reason);
}

void Core::close() {
  dirty_.clear();
  awaiting_log_.clear();
  held_back_.clear();
  publishers_.clear();
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
