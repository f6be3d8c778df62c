// What the broker's one thread does: connections, virtual hosts, and who is to be woken when.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
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

#include "server/listener.hpp"
#include "server/socket.hpp"
#include "server/vhost.hpp"
#include "session/settings.hpp"

namespace haypile::server {

class Connection;

// Used by the thread that runs `io`, and by that one only, unless a call says otherwise.
class Core {
 public:
  // Opens the data directory and recovers; throws BrokerError. `io` outlives the core.
  Core(asio::io_context& io, BrokerOptions options);
  ~Core();

  // Throws BrokerError.
  std::uint16_t listen(const std::string& address, std::uint16_t port);
  // Takes a client in.
  void adopt(Socket socket, Peer peer);
  // Says goodbye to all; nothing is accepted any more. When the last client is gone, or had time
  // enough, `io` runs out of work.
  void stop();
  // After `io` has run out: closes the log, marks it clean and gives the data directory free.
  void close();

  // For connections.
  asio::io_context& io() { return io_; }
  const session::Settings& settings() const { return settings_; }
  engine::Engine* find_vhost(std::string_view name);
  // A place to read to; what is in it is lost when the handler returns.
  std::span<char> read_buffer() { return read_buffer_; }
  void add_dirty(std::shared_ptr<Connection> connection);
  void await_log(std::shared_ptr<Connection> connection);
  // The log has more to write than it should, or there is an alarm: publishers wait.
  bool holds_publishers_back() const;
  // What clients are told of the alarm; empty if there is none.
  std::string_view alarm() const {
    return memory_alarm_ ? "low on memory" : disk_alarm_ ? "low on disk" : "";
  }
  // The engines learn what time it is; before anything that may depend on it.
  void update_clock();
  // There is a backlog, and enough has been read of publishers in this turn, or some wait already.
  bool defers_publishers() const;
  // To be read in its turn.
  void add_publisher(std::shared_ptr<Connection> connection);
  // Was read of a publisher.
  void count_published(std::size_t bytes) { published_bytes_ += bytes; }
  // So much of one at a time, at most.
  std::size_t publisher_read_size_bytes() const;
  void add_held_back(std::shared_ptr<Connection> connection);
  // Has outputs and logs flushed when the handlers that are ready now have run.
  void schedule_flush();
  void remove(const Connection& connection, const std::string& peer, const std::string& reason);
  void report(Severity severity, const std::string& line) const;

 private:
  using Connections = std::vector<std::shared_ptr<Connection>>;

  void open_vhost(const std::string& name);
  engine::TimeMs now() const;
  void flush();
  void read_publishers();
  bool has_backlog() const;
  void check_memory();
  void check_disk();
  void set_disk_alarm(bool is_out_of_space);
  void let_publishers_go_on();
  void look_after_held_back();
  void arm_engine_timer();
  void advance_engines();
  void log_advanced();
  void fail(const std::string& line);
  void close_connections(const std::string& reason);

  asio::io_context& io_;
  const BrokerOptions options_;
  const std::size_t memory_limit_bytes_;
  // The wall clock when the monotonic one was at 0: deadlines follow the latter, and go on by the
  // former after a restart.
  const std::chrono::milliseconds epoch_;
  session::Settings settings_;
  std::vector<char> read_buffer_;
  std::optional<log::DataDirectory> directory_;
  std::unordered_map<std::string, std::unique_ptr<Vhost>> vhosts_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unordered_map<engine::OwnerId, std::shared_ptr<Connection>> connections_;
  engine::OwnerId last_id_ = 0;
  Connections dirty_;
  Connections awaiting_log_;
  Connections held_back_;
  std::deque<std::shared_ptr<Connection>> publishers_;  // with something to read
  std::size_t published_bytes_ = 0;                     // read from them in this turn
  Connections at_hand_;                                 // of the list that is being gone through
  bool flush_scheduled_ = false;
  bool stopping_ = false;
  bool failed_ = false;
  bool memory_alarm_ = false;
  bool disk_alarm_ = false;
  engine::TimeMs disk_checked_at_ = 0;
  std::uint64_t disk_checked_at_bytes_ = 0;  // of all logs
  asio::steady_timer disk_timer_;            // while there is an alarm
  asio::steady_timer stop_timer_;
  asio::steady_timer engine_timer_;  // for what expires
  engine::TimeMs engine_timer_set_for_ = engine::no_deadline;
  asio::steady_timer held_back_timer_;
  bool looking_after_ = false;
};

}  // namespace haypile::server
