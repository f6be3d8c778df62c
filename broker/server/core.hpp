// What the broker's one thread does: connections, virtual hosts, and who is to be woken when.
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

// Used by the thread that runs `io`, and by that one only, unless a call says otherwise.
class Core {
 public:
  // Opens the data directory and recovers; throws BrokerError. `io` outlives the core.
  Core(asio::io_context& io, BrokerOptions options);
  ~Core();

  // On all of them, on one port; 0: any that is free. Throws BrokerError.
  Listening listen(const std::vector<asio::ip::address>& addresses, std::uint16_t port);
  // Takes a client in.
  void adopt(Socket socket, Peer peer);
  // Says goodbye to all; nothing is accepted any more. When the last client is gone, or had time
  // enough, `io` runs out of work.
  void stop();
  // After `io` has run out: closes the log, marks it clean and gives the data directory free.
  // False: the log could not be closed, or had failed before.
  bool close();
  // Nothing is confirmed any more, and all connections are closed. For what is not caught otherwise
  // and for the log, whose failure this may also be.
  void fail(const std::string& line);

  // For connections.
  asio::io_context& io() { return io_; }
  const session::Settings& settings() const { return settings_; }
  // Null if there is none of that name.
  vhost::Vhost* find_vhost(std::string_view name);
  // Who may log in, and when it is told that it may not.
  Admission& admission() { return admission_; }
  // A place to read to; what is in it is lost when the handler returns.
  std::span<char> read_buffer() { return read_buffer_; }
  // Its output is flushed at the end of the turn.
  void add_dirty(std::shared_ptr<Connection> connection);
  // As vhost::Vhost::pause(), and has a look after it now and then.
  void pause(vhost::Vhost& vhost, std::shared_ptr<Connection> connection);
  // Is told when messages of others that had begun are complete: Connection::try_room().
  void await_room(std::shared_ptr<Connection> connection);
  session::SessionMemory& session_memory() { return session_memory_; }
  // All virtual hosts get a turn when the handlers that are ready now have run.
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
  // So many of them; those with more to send than that are put off.
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
  std::deque<std::shared_ptr<Connection>> with_much_;  // of the dirty ones
  Connections without_room_;
  std::size_t unfinished_bytes_ = 0;  // of all sessions, in the last turn
  bool turn_scheduled_ = false;
  bool stopping_ = false;
  bool failed_ = false;
  vhost::Alarms reported_alarms_;
  engine::TimeMs stopped_letters_reported_at_ = 0;  // on the boot clock
  MemoryReturn memory_return_;
  asio::steady_timer stop_timer_;
  BootTimer vhost_timer_;  // for the first of their deadlines
  engine::TimeMs vhost_timer_set_for_ = engine::no_deadline;
  asio::steady_timer paused_check_timer_;
  bool checks_paused_ = false;
};

}  // namespace haypile::server
