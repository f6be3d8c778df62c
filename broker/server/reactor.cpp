#include "server/reactor.hpp"

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include <boost/asio/post.hpp>

#include <haypile/amqp/printable.hpp>

#include "server/clocks.hpp"
#include "server/connection.hpp"

namespace haypile::server {

namespace {

constexpr std::size_t read_size_bytes = 256u << 10;
constexpr engine::TimeMs stopped_letters_interval_ms = 60'000;
constexpr std::size_t flushes_per_turn = 500;
constexpr std::size_t sent_bytes_per_turn = 4u << 20;
constexpr std::size_t small_output_max_bytes = 64u << 10;
constexpr std::chrono::seconds stop_timeout{2};
// The longest part of a line of the log that a client has influence on.
constexpr std::size_t reason_max_bytes = 512;
constexpr std::chrono::seconds peer_check_interval{1};

}  // namespace

Reactor::Reactor(asio::io_context& io, const session::Settings& settings, Admission& admission,
                 std::size_t memory_limit_bytes, Calls calls)
    : io_(io),
      settings_(settings),
      admission_(admission),
      memory_limit_bytes_(memory_limit_bytes),
      calls_(std::move(calls)),
      session_memory_(memory_limit_bytes_),
      read_buffer_(settings_.frame_max_bytes + read_size_bytes),
      stop_timer_(io),
      vhost_timer_(io,
                   [this] {
                     vhost_timer_set_for_ = engine::no_deadline;
                     schedule_turn();
                   }),
      paused_check_timer_(io) {}

Reactor::~Reactor() = default;

// Some of what was recovered may have expired.
void Reactor::add_vhost(const std::string& name, std::unique_ptr<vhost::Vhost> vhost) {
  vhosts_.emplace(name, std::move(vhost));
  schedule_turn();
}

void Reactor::adopt(Socket socket, Peer peer, LoginGate::Place place) {
  const auto connection = std::make_shared<Connection>(*this, std::move(socket), std::move(peer),
                                                       std::move(place), ++last_id_);
  connections_.emplace(connection->id(), connection);
  connection->start();
}

void Reactor::remove(const Connection& connection, const std::string& peer,
                     const std::string& reason) {
  report(reason.empty() ? Severity::debug : Severity::info,
         "connection from " + peer + " ended" +
             (reason.empty() ? "" : ": " + amqp::printable(reason, reason_max_bytes)));
  connections_.erase(connection.id());
  schedule_turn();  // its unacked messages may have gone to others, and to the log
  if (stopping_ && connections_.empty()) stop_timer_.cancel();
}

vhost::Vhost* Reactor::find_vhost(std::string_view name) {
  const auto found = vhosts_.find(name);
  return found == vhosts_.end() ? nullptr : found->second.get();
}

void Reactor::add_dirty(std::shared_ptr<Connection> connection) {
  dirty_.push_back(std::move(connection));
  schedule_turn();
}

void Reactor::pause(vhost::Vhost& vhost, std::shared_ptr<Connection> connection) {
  vhost.pause(std::move(connection));
  check_paused_peers();
}

void Reactor::await_room(std::shared_ptr<Connection> connection) {
  without_room_.push_back(std::move(connection));
  check_paused_peers();
}

void Reactor::resume_those_without_room() {
  const std::size_t bytes = session_memory_.unfinished_bytes();
  if (bytes >= std::exchange(unfinished_bytes_, bytes)) return;
  Connections connections;
  connections.swap(without_room_);
  for (const auto& connection : connections)
    connection->try_room();
}

// Nothing is read from paused connections, so nothing else would show that a peer has gone.
void Reactor::check_paused_peers() {
  if (std::exchange(checks_paused_, true)) return;
  paused_check_timer_.expires_after(peer_check_interval);
  paused_check_timer_.async_wait([this](const boost::system::error_code& error) {
    checks_paused_ = false;
    if (error) return;
    for (const auto& [name, vhost] : vhosts_) {
      vhost->check_paused_peers();
      if (vhost->has_paused()) check_paused_peers();
    }
    const Connections without_room = without_room_;
    for (const auto& connection : without_room)
      connection->check_peer();
    std::erase_if(without_room_, [](const auto& connection) { return connection->has_gone(); });
    if (!without_room_.empty()) check_paused_peers();
  });
}

// Handlers that became ready meanwhile run before the next turn, however much is left to do.
void Reactor::schedule_turn() {
  if (std::exchange(turn_scheduled_, true)) return;
  asio::post(io_, [this] { turn(); });
}

// The order: resume those that wait for room, run each virtual host, then flush output, because the
// turns produce it. turn_scheduled_ is cleared before the flush, so that everything after the
// virtual hosts' turns can ask for another turn.
void Reactor::turn() {
  if (abandoned_) return;
  resume_those_without_room();
  for (const auto& [name, vhost] : vhosts_) {
    vhost->set_memory_elsewhere(session_memory_.bytes());
    vhost->turn(read_clocks());
  }
  turn_scheduled_ = false;
  flush_dirty();
  report_alarms();
  report_stopped_letters();
  return_memory();
  for (const auto& [name, vhost] : vhosts_) {
    if (vhost->wants_turn()) schedule_turn();
  }
  if (!turn_scheduled_) arm_vhost_timer();
}

// Flushes only some connections if there are many, because each write takes time. Connections with
// little output come first; otherwise a confirm would wait for large messages of others.
void Reactor::flush_dirty() {
  flush_some(dirty_, std::min(dirty_.size(), flushes_per_turn), small_output_max_bytes);
  flush_some(with_much_, with_much_.size(), std::numeric_limits<std::size_t>::max());
  if (!dirty_.empty() || !with_much_.empty()) schedule_turn();
}

void Reactor::flush_some(std::deque<std::shared_ptr<Connection>>& connections, std::size_t count,
                         std::size_t output_max_bytes) {
  std::size_t sent = 0;
  for (; count > 0 && sent < sent_bytes_per_turn; --count) {
    std::shared_ptr<Connection> connection = std::move(connections.front());
    connections.pop_front();
    if (connection->output_size() > output_max_bytes) {
      with_much_.push_back(std::move(connection));
    } else {
      sent += connection->flush();
    }
  }
}

void Reactor::return_memory() {
  std::size_t bytes = session_memory_.bytes();
  for (const auto& [name, vhost] : vhosts_)
    bytes += vhost->memory_bytes();
  memory_return_.look(read_boot_clock(), bytes);
}

void Reactor::report_alarms() {
  vhost::Alarms alarms;
  for (const auto& [name, vhost] : vhosts_) {
    alarms.is_memory_low |= vhost->alarms().is_memory_low;
    alarms.is_disk_low |= vhost->alarms().is_disk_low;
  }
  if (alarms.is_memory_low != reported_alarms_.is_memory_low) {
    const std::string limit = std::to_string(memory_limit_bytes_) + " bytes of memory";
    report(alarms.is_memory_low ? Severity::warning : Severity::info,
           alarms.is_memory_low
               ? "more than the limit of " + limit + " is in use: publishers are blocked"
               : "memory is below the limit again: publishers go on");
  }
  if (alarms.is_disk_low != reported_alarms_.is_disk_low) {
    report(alarms.is_disk_low ? Severity::warning : Severity::info,
           alarms.is_disk_low ? "the disk is nearly full: publishers are blocked"
                              : "there is room on the disk again: publishers go on");
  }
  reported_alarms_ = alarms;
}

void Reactor::report_stopped_letters() {
  const engine::TimeMs now = read_boot_clock();
  if (now < stopped_letters_reported_at_ + stopped_letters_interval_ms) return;
  for (const auto& [name, vhost] : vhosts_) {
    const engine::StoppedLetters cut = vhost->engine().take_stopped_letters();
    if (!cut.any()) continue;
    stopped_letters_reported_at_ = now;
    report(Severity::warning, "vhost '" + name + "': " + to_text(cut));
  }
}

// Sets the timer only when it has to go off earlier than before, or has gone off.
void Reactor::arm_vhost_timer() {
  engine::TimeMs deadline = engine::no_deadline;
  for (const auto& [name, vhost] : vhosts_)
    deadline = std::min(deadline, vhost->next_deadline());
  deadline = std::min(deadline, memory_return_.next_look());
  if (deadline >= vhost_timer_set_for_ || stopping_) return;
  vhost_timer_set_for_ = deadline;
  vhost_timer_.set(deadline);
}

void Reactor::log_advanced() {
  for (const auto& [name, vhost] : vhosts_) {
    vhost->log_advanced(read_boot_clock());
    if (vhost->has_paused()) schedule_turn();
  }
}

void Reactor::close_connections(const std::string& reason) {
  const auto all = connections_;
  const auto each = [&](const auto& action) {
    for (const auto& [id, connection] : all) {
      try {
        action(*connection);
      } catch (const std::exception&) {
        // The broker has already failed. The other connections must be closed in any case.
      }
    }
  };
  each([](Connection& connection) { connection.stop_deliveries(); });
  each([&](Connection& connection) { connection.close(reason); });
}

// Deliveries end first: what one client gives back must not go to the next one.
void Reactor::stop() {
  stopping_ = true;
  vhost_timer_.close();
  paused_check_timer_.cancel();
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

void Reactor::abandon() {
  abandoned_ = true;
  for (const auto& [name, vhost] : vhosts_)
    vhost->abandon();
}

bool Reactor::close() {
  dirty_.clear();
  with_much_.clear();
  without_room_.clear();
  for (const auto& [name, vhost] : vhosts_)
    vhost->forget_participants();
  connections_.clear();
  bool is_clean = !abandoned_;
  for (const auto& [name, vhost] : vhosts_)
    is_clean = is_clean && vhost->close_clean();
  vhosts_.clear();
  return is_clean;
}

}  // namespace haypile::server
