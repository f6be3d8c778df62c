// Runs connections and virtual hosts on one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <haypile/broker.hpp>

#include "engine/queue.hpp"
#include "server/admission.hpp"
#include "server/boot_timer.hpp"
#include "server/login_gate.hpp"
#include "server/memory_return.hpp"
#include "server/socket.hpp"
#include "session/memory.hpp"
#include "session/settings.hpp"
#include "vhost/vhost.hpp"

namespace haypile::server {

class Connection;

// Handlers of sockets and timers only read input and collect work: dirty connections, participants
// that wait, what was appended to the log. A turn does that work after all handlers that were ready
// have run. There is one reactor a broker for now.
//
// Used on the thread that runs `io` only.
class Reactor {
 public:
  struct Calls {
    std::function<void(Severity, const std::string&)> report;
    // An exception in a connection's handler says that the broker cannot go on.
    std::function<void(const std::string&)> fail;
  };

  // All must outlive the reactor.
  Reactor(asio::io_context& io, const session::Settings& settings, Admission& admission,
          std::size_t memory_limit_bytes, Calls calls);
  ~Reactor();

  // Takes over a virtual host that has started.
  void add_vhost(const std::string& name, std::unique_ptr<vhost::Vhost> vhost);
  // Begins a connection with a client that was admitted.
  void adopt(Socket socket, Peer peer, LoginGate::Place place);
  // A log is durable further than before. To be posted to `io`.
  void log_advanced();
  // Performs the close handshake with all clients. When the last client has gone, or its time is
  // over, the reactor leaves no work for `io`.
  void stop();
  // Nothing is written or confirmed from now on, and no turn follows.
  void abandon();
  // Closes all connections at once.
  void close_connections(const std::string& reason);
  // Call this after `io` has run out of work: ends connections and virtual hosts. Returns false if
  // a log could not be closed, or abandon() was called before.
  bool close();

  // Used by connections.
  asio::io_context& io() { return io_; }
  const session::Settings& settings() const { return settings_; }
  // Null if there is no such virtual host.
  vhost::Vhost* find_vhost(std::string_view name);
  // Decides which clients may log in, and when a refusal is told.
  Admission& admission() { return admission_; }
  // A buffer to read into; its content is lost when the handler returns.
  std::span<char> read_buffer() { return read_buffer_; }
  // The connection's output is flushed at the end of the turn.
  void add_dirty(std::shared_ptr<Connection> connection);
  // Calls vhost::Vhost::pause(), and checks once a second whether the peer has gone.
  void pause(vhost::Vhost& vhost, std::shared_ptr<Connection> connection);
  // Calls Connection::try_room() when unfinished messages of others are complete.
  void await_room(std::shared_ptr<Connection> connection);
  session::SessionMemory& session_memory() { return session_memory_; }
  // All virtual hosts get a turn after the handlers that are ready now.
  void schedule_turn();
  void remove(const Connection& connection, const std::string& peer, const std::string& reason);
  void report(Severity severity, const std::string& line) const { calls_.report(severity, line); }
  void fail(const std::string& line) { calls_.fail(line); }

 private:
  using Connections = std::vector<std::shared_ptr<Connection>>;

  void turn();
  void flush_dirty();
  // Flushes `count` connections; puts those with more output than `output_max_bytes` into
  // with_much_.
  void flush_some(std::deque<std::shared_ptr<Connection>>& connections, std::size_t count,
                  std::size_t output_max_bytes);
  void report_alarms();
  void report_stopped_letters();
  void return_memory();
  void check_paused_peers();
  void arm_vhost_timer();
  void resume_those_without_room();

  asio::io_context& io_;
  const session::Settings& settings_;
  Admission& admission_;
  const std::size_t memory_limit_bytes_;
  const Calls calls_;
  session::SessionMemory session_memory_;
  std::vector<char> read_buffer_;
  std::map<std::string, std::unique_ptr<vhost::Vhost>, std::less<>> vhosts_;
  std::unordered_map<engine::OwnerId, std::shared_ptr<Connection>> connections_;
  engine::OwnerId last_id_ = 0;
  std::deque<std::shared_ptr<Connection>> dirty_;
  std::deque<std::shared_ptr<Connection>> with_much_;  // dirty connections with large output
  Connections without_room_;
  std::size_t unfinished_bytes_ = 0;  // sum of all sessions, in the last turn
  bool turn_scheduled_ = false;
  bool stopping_ = false;
  bool abandoned_ = false;
  vhost::Alarms reported_alarms_;
  engine::TimeMs stopped_letters_reported_at_ = 0;  // on the boot clock
  MemoryReturn memory_return_;
  asio::steady_timer stop_timer_;
  BootTimer vhost_timer_;  // set for the earliest deadline of the virtual hosts
  engine::TimeMs vhost_timer_set_for_ = engine::no_deadline;
  asio::steady_timer paused_check_timer_;
  bool checks_paused_ = false;
};

}  // namespace haypile::server
