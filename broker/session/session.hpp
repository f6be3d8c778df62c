// One AMQP connection as a state machine: bytes in, bytes out, time handed in. No sockets.
//
// Whoever owns it calls receive() with what came, sends what take_output() gives, calls tick() when
// deadline() has come and log_advanced() when the log is durable further than before. Belongs to
// one thread, the engine's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "session/channel.hpp"
#include "session/fault.hpp"
#include "session/host.hpp"
#include "session/link.hpp"
#include "session/settings.hpp"

namespace haypile::session {

class Session {
 public:
  // Host and settings outlive the session. `owner` is never 0 and no other session's.
  Session(Host& host, const Settings& settings, engine::OwnerId owner, Time now);
  // As disconnected().
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Returns how many of `bytes` were used. The rest has to be offered again: if has_stalled(), when
  // wants_input() is true again; otherwise it is the start of a frame, never longer than frame_max,
  // and belongs in front of what comes next.
  std::size_t receive(std::string_view bytes, Time now);

  // Output. What was taken counts against the room for deliveries until output_sent().
  bool has_output() const { return link_.has_output(); }
  void take_output(std::string& into, Time now);
  void output_sent(std::size_t size);
  // False while so much is unsent that nothing more should be read.
  bool wants_input() const;
  // The last receive() has stopped at too much output.
  bool has_stalled() const { return stalled_; }

  bool awaits_log() const { return !link_.awaiting_log.empty(); }
  void log_advanced();

  // When tick() wants to be called next; may change with every call.
  Time deadline() const;
  void tick(Time now);

  // Nothing is delivered any more. To be called for all sessions that are about to end together.
  void stop_deliveries();
  // The socket is gone: what was unacked goes back to its queues, exclusive queues are deleted.
  void disconnected();
  // Tells the client that the broker stops (320).
  void shut_down(Time now);

  // The client has logged in, and its connection is open.
  bool is_open() const { return phase_ == Phase::running; }
  // Nothing more will come: what is left to send is to be sent, then the socket closed.
  bool finished() const { return phase_ == Phase::finished; }
  // Whether the client said goodbye, and was answered: it is up to it to close the socket.
  bool closed_by_client() const { return closed_by_client_; }
  // Why it ended, for the log; empty for an orderly end.
  const std::string& reason() const { return reason_; }
  const std::string& user() const { return link_.user; }
  // Whether a message came in since the last call: such a connection is held back when there is
  // more than the broker can take.
  bool take_published() { return std::exchange(link_.has_published, false); }

  // Nothing is read from the connection for now, so that its silence means nothing. `reason` is
  // what the client is told (connection.blocked), if it wants to know; empty: it is not told.
  void hold_back(std::string_view reason);
  // Reading goes on.
  void go_on(Time now);

 private:
  // Handshake (protocol header to open), open, and the two ways to the end: we said close and wait
  // for the answer, or it is over.
  enum class Phase : std::uint8_t { header, start, tune, open, running, closing, finished };

  std::size_t receive_protocol_header(std::string_view bytes);
  void send_start();
  void on_frame(const amqp::Frame& frame);
  void on_other_frame(const amqp::Frame& frame);
  void on_connection_frame(const amqp::Frame& frame);
  Fault on_connection_method(std::string_view payload);
  void on_closing_frame(const amqp::Frame& frame);
  Fault unexpected_method(std::string_view payload) const;
  Fault on_start_ok(std::string_view arguments);
  Fault refuse_login(const std::string& user, std::string_view mechanism);
  Fault on_tune_ok(std::string_view arguments);
  Fault on_open(std::string_view arguments);

  void on_channel_frame(const amqp::Frame& frame);
  // What is for a channel that is not open, if it is there at all, and what opens or closes one.
  void on_rare_frame(Channel* channel, const amqp::Frame& frame);
  void on_rare_method(std::uint16_t number, Channel* channel, const amqp::Frame& frame);
  void on_channel_fault(Channel& channel, const Fault& fault, amqp::MethodId method);
  void open_channel(std::uint16_t number);
  // Mostly it is the one that the last frame was for.
  Channel* find_channel(std::uint16_t number) {
    return current_ && current_number_ == number ? current_ : change_channel(number);
  }
  Channel* change_channel(std::uint16_t number);
  void remove_channel(std::uint16_t number);
  void leave_channel();

  void fail(const Fault& fault, amqp::MethodId method = {});
  void bad_frame(const std::string& text);
  void drop_channels();
  void finish(std::string reason);

  Link link_;
  const Time started_;
  Phase phase_ = Phase::header;
  bool framing_lost_ = false;  // what comes is not looked at any more
  Time now_;
  Time last_received_;
  Time last_sent_;
  Time closing_since_;
  std::chrono::milliseconds heartbeat_{0};
  bool stalled_ = false;
  bool closed_by_client_ = false;
  bool held_back_ = false;
  bool told_blocked_ = false;
  std::uint16_t channel_max_ = 0;
  engine::Engine* engine_ = nullptr;
  std::vector<std::unique_ptr<Channel>> channels_;  // by number, from 1 on; null: not open
  std::vector<std::uint16_t> advanced_;             // of log_advanced()
  Channel* current_ = nullptr;                      // the one the last frame was for
  std::uint16_t current_number_ = 0;
  std::string reason_;
};

}  // namespace haypile::session
