// One client: a socket, a session and a timer.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/steady_timer.hpp>

#include "server/login_gate.hpp"
#include "server/socket.hpp"
#include "session/session.hpp"
#include "vhost/vhost.hpp"

namespace haypile::server {

class Reactor;

// Connects a client's socket with its session: reads and writes, and waits where the session asks
// for it. Lives as long as the reactor knows it or a handler of the socket is pending. Used on the
// reactor's thread only.
class Connection final : public std::enable_shared_from_this<Connection>,
                         public vhost::Participant,
                         private session::SessionHost {
 public:
  // The reactor must outlive the connection.
  Connection(Reactor& reactor, Socket socket, Peer peer, LoginGate::Place place,
             engine::OwnerId id);

  void start();
  engine::OwnerId id() const { return id_; }

  // The size of the output that waits, in bytes.
  std::size_t output_size() const { return session_.output_size(); }
  // Sends some of the output, as far as the socket takes it; the rest waits for another turn.
  // Returns the number of bytes sent.
  std::size_t flush();
  // Continues with the input that the session has left, or reads once from the socket.
  void read() override;
  void log_advanced() override;
  void tell_alarm(std::string_view text) override { session_.tell_blocked(text); }
  // Closes the connection if the peer has gone. Needed while nothing is read.
  void check_peer() override;
  bool try_to_resume() override;
  // Call this when there may be room for the message that the client has begun.
  void try_room();
  bool has_gone() const override { return !socket_.is_open(); }
  // Ends all deliveries. Call this before all connections are shut down or closed.
  void stop_deliveries() { session_.stop_deliveries(); }
  void shut_down();
  // Closes the connection at once, without telling the peer why.
  void close(const std::string& reason);

 private:
  session::LoginAnswer log_in(std::string_view user, std::string_view password) override;
  engine::Engine* find_vhost(std::string_view name) override;
  session::SessionMemory& memory() override;
  bool publishers_must_wait() override;
  std::uint64_t disk_room() override { return vhost_->disk_room(); }
  std::string unique_name() override;
  void output_ready() override;

  // Tells the engine what time it is. Call this before anything that may depend on it.
  void update_clock();
  void wait_readable();
  void await_turn(bool as_publisher);
  void read_socket();
  std::size_t read_size(std::size_t room) const;
  // Offers the session what it has left of the input, or new input.
  void process_input(std::string_view bytes);
  void process_rest();
  void keep(std::string_view rest);
  void count_rest(std::size_t bytes);
  void resume_if_over();
  std::size_t write();
  void update_waits();
  void await_log();
  bool waits_for_refusal() const;
  void wait_writable();
  void arm_timer();
  void on_timer();
  std::chrono::steady_clock::time_point deadline() const;

  Reactor& reactor_;
  Socket socket_;
  const Peer peer_;
  LoginGate::Place place_;  // held until the client has logged in
  const engine::OwnerId id_;
  // The client must have logged in by then, or has been refused.
  const std::chrono::steady_clock::time_point login_until_;
  vhost::Vhost* vhost_ = nullptr;  // null until the connection is open
  session::Session session_;
  asio::steady_timer timer_;
  std::chrono::steady_clock::time_point armed_for_ = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point refuse_at_{};    // when a refused login is told; 0: none
  std::chrono::steady_clock::time_point drain_until_{};  // set when the session has finished
  // The start of a frame whose end has not come yet, or input that the session does not take now.
  std::string rest_;
  std::size_t rest_counted_ = 0;
  bool reading_ = false;      // waits for input, or is about to read
  bool awaits_turn_ = false;  // its virtual host will call read()
  bool publishes_ = false;    // it published in the last read
  bool writing_ = false;
  bool is_listed_ = false;    // its virtual host will call try_to_resume()
  bool awaits_room_ = false;  // the reactor will call try_room()
  bool dirty_ = false;        // on the reactor's list for flush()
  bool awaiting_log_ = false;
};

}  // namespace haypile::server
