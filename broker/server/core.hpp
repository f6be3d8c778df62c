// What the broker's one thread does: connections, virtual hosts, and what they wait for.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <haypile/broker.hpp>

#include "log/data_directory.hpp"
#include "server/admission.hpp"
#include "server/boot_timer.hpp"
#include "server/listener.hpp"
#include "server/memory_return.hpp"
#include "server/socket.hpp"
#include "session/amqp_property_codec.hpp"
#include "session/memory.hpp"
#include "session/settings.hpp"
#include "vhost/vhost.hpp"

namespace haypile::server {

class Connection;

// Runs the connections and the virtual hosts of a broker. Used on the thread that runs `io` only,
// unless a method says otherwise.
class Core {
 public:
  // Opens the data directory and recovers. Throws BrokerError. `io` must outlive the core.
  Core(asio::io_context& io, BrokerOptions options);
  ~Core();

  // Listens on all addresses, on one port; 0 is any free port. Throws BrokerError.
  Listening listen(const std::vector<asio::ip::address>& addresses, std::uint16_t port);
  // Takes a client that has connected. Closes its socket if it is not admitted.
  void adopt(Socket socket, Peer peer);
  // Performs the close handshake with all clients; nothing is accepted any more. When the last
  // client has gone, or its time is over, `io` runs out of work.
  void stop();
  // Call this after `io` has run out of work: closes the log, marks it clean and unlocks the data
  // directory. Returns false if the log could not be closed, or had failed before.
  bool close();
  // Confirms nothing from now on and closes all connections. Called for exceptions that nobody else
  // catches, and when the log fails.
  void fail(const std::string& line);

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
  void report(Severity severity, const std::string& line) const;

 private:
  using Connections = std::vector<std::shared_ptr<Connection>>;

  void open_vhost(const std::string& name);
  vhost::VhostLimits vhost_limits() const;
  std::unique_ptr<log::Log> make_log(const std::string& vhost);
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
  void log_advanced();
  void resume_those_without_room();
  void close_connections(const std::string& reason);

  asio::io_context& io_;
  const BrokerOptions options_;
  const std::size_t memory_limit_bytes_;
  session::Settings settings_;
  session::SessionMemory session_memory_;
  const session::AmqpPropertyCodec property_codec_;
  std::vector<char> read_buffer_;
  Admission admission_;
  std::optional<log::DataDirectory> directory_;
  std::map<std::string, std::unique_ptr<vhost::Vhost>, std::less<>> vhosts_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unordered_map<engine::OwnerId, std::shared_ptr<Connection>> connections_;
  engine::OwnerId last_id_ = 0;
  std::deque<std::shared_ptr<Connection>> dirty_;
  std::deque<std::shared_ptr<Connection>> with_much_;  // dirty connections with large output
  Connections without_room_;
  std::size_t unfinished_bytes_ = 0;  // sum of all sessions, in the last turn
  bool turn_scheduled_ = false;
  bool stopping_ = false;
  bool failed_ = false;
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
