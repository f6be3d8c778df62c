// One client: a socket, a session, a timer.
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

class Core;

// Lives as long as the core knows it or a handler of the socket is under way. Used by the core's
// thread only.
class Connection final : public std::enable_shared_from_this<Connection>,
                         public vhost::Participant,
                         private session::SessionHost {
 public:
  // The core outlives the connection.
  Connection(Core& core, Socket socket, Peer peer, LoginGate::Place place, engine::OwnerId id);

  void start();
  engine::OwnerId id() const { return id_; }

  // What it has to send, in bytes.
  std::size_t output_size() const { return session_.output_size(); }
  // Sends some of what there is to send, as far as the socket takes it; the rest is for another
  // turn. Returns how many bytes.
  std::size_t flush();
  // Goes on with what the session has left, or takes one read of what has come.
  void read() override;
  void log_advanced() override;
  void tell_alarm(std::string_view text) override { session_.tell_blocked(text); }
  // While nothing is read: a peer that has gone is noticed.
  void check_peer() override;
  bool try_to_resume() override;
  // There may be room for the message that it has begun.
  void try_room();
  bool has_gone() const override { return !socket_.is_open(); }
  // Its consumers get nothing any more: before all connections are shut down, or closed.
  void stop_deliveries() { session_.stop_deliveries(); }
  void shut_down();
  // At once, without a word to the peer.
  void close(const std::string& reason);

 private:
  session::LoginAnswer log_in(std::string_view user, std::string_view password) override;
  engine::Engine* find_vhost(std::string_view name) override;
  session::SessionMemory& memory() override;
  bool publishers_must_wait() override;
  std::uint64_t disk_room() override { return vhost_->disk_room(); }
  std::string unique_name() override;
  void output_ready() override;

  // The engine learns what time it is; before anything that may depend on it.
  void update_clock();
  void wait_readable();
  void await_turn(bool as_publisher);
  void read_socket();
  std::size_t read_size(std::size_t room) const;
  // Offers the session what it has left of the input.
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

  Core& core_;
  Socket socket_;
  const Peer peer_;
  LoginGate::Place place_;  // until it has logged in
  const engine::OwnerId id_;
  // It has logged in by then, or been refused.
  const std::chrono::steady_clock::time_point login_until_;
  vhost::Vhost* vhost_ = nullptr;  // once it is open
  session::Session session_;
  asio::steady_timer timer_;
  std::chrono::steady_clock::time_point armed_for_ = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point refuse_at_{};    // when its login is refused, if it is
  std::chrono::steady_clock::time_point drain_until_{};  // once the session has finished
  // The start of a frame whose end has not come yet, or what the session does not take for now.
  std::string rest_;
  std::size_t rest_counted_ = 0;
  bool reading_ = false;      // or about to
  bool awaits_turn_ = false;  // its virtual host calls read()
  bool publishes_ = false;    // did in the last read
  bool writing_ = false;
  bool is_listed_ = false;    // its virtual host calls try_to_resume()
  bool awaits_room_ = false;  // the core calls try_room()
  bool dirty_ = false;        // on the core's list, as the next one
  bool awaiting_log_ = false;
};

}  // namespace haypile::server
