// One AMQP connection as a state machine: bytes in, bytes out, time handed in. No sockets.
//
// Whoever owns it calls receive() with what came, writes what look_at_output() gives, calls tick()
// when deadline() has come and log_advanced() when the log is durable further than before. What it
// has to do when nothing is read for a while is told by pause(). Belongs to one thread, the
// engine's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "session/channel.hpp"
#include "session/connection_context.hpp"
#include "session/fault.hpp"
#include "session/handshake.hpp"
#include "session/output.hpp"
#include "session/pause.hpp"
#include "session/session_host.hpp"
#include "session/settings.hpp"

namespace haypile::session {

class Session {
 public:
  // Host and settings outlive the session. `owner` is never 0 and no other session's. Begins with
  // the protocol header.
  Session(SessionHost& host, const Settings& settings, engine::OwnerId owner, Time now);
  // Begins with what comes behind connection.open.
  Session(SessionHost& host, const Settings& settings, engine::OwnerId owner, Opened opened,
          Time now);
  // As disconnected().
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Returns how many of `bytes` were used. The rest has to be offered again: if pause() says so,
  // when that is over; otherwise it is the start of a frame, never longer than frame_max, and
  // belongs in front of what comes next.
  std::size_t receive(std::string_view bytes, Time now);

  // Why nothing is to be read for now. What ends a pause:
  // - turn: receive(), with what was left, in the next turn;
  // - login: login_answered();
  // - the others: try_to_resume(), to be tried when something has changed for the better: output
  // was
  //   sent, the log has advanced, the alarm is over, unfinished messages are complete.
  Pause pause() const { return pause_; }
  // True if what it waited for has come: then receive() goes on with what was left. Also takes back
  // what tell_blocked() has said, once that is over; until then keep calling.
  bool try_to_resume(Time now);
  // There is an alarm, for that reason: the client is told, once, if it wants to know
  // (connection.blocked). An empty reason is not told.
  void tell_blocked(std::string_view reason);
  // The client believes that it may not publish.
  bool has_told_blocked() const { return told_blocked_; }
  void login_answered(bool is_accepted, Time now);

  // Output. What is looked at stays the session's until output_sent(). `skipped` bytes at the
  // beginning are left out.
  bool has_output() const { return !context_.waiting().empty(); }
  std::size_t output_size() const { return context_.waiting().size(); }
  void look_at_output(OutputPieces& pieces, std::size_t skipped = 0) const {
    context_.waiting().look(skipped, pieces);
  }
  // So much was written: call it after each write, also of a part.
  void output_sent(std::size_t size, Time now);
  // There was no memory for something that had to be said: the connection has to be closed.
  bool output_is_lost() const { return context_.output_is_lost; }

  bool awaits_log() const { return !context_.awaiting_log.empty() || phase_ == Phase::leaving; }
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
  const std::string& user() const { return context_.user; }
  // Whether a message came in since the last call.
  bool take_published() { return std::exchange(context_.has_published, false); }

 private:
  // The handshake, open, and the ways to the end: the client said close and our answer waits for
  // the log; we said close and wait for the answer; it is over.
  enum class Phase : std::uint8_t { opening, running, leaving, closing, finished };

  void begin(Opened opened);
  // What comes is not looked at any more.
  bool ignores_input() const { return phase_ == Phase::finished || framing_lost_; }
  void on_frame(const amqp::Frame& frame) {
    const bool is_method = frame.type == amqp::FrameType::method;
    if (phase_ == Phase::running) {
      if (is_method && context_.is_unread()) return enter(Pause::unread);
      if (frame.channel != 0 && frame.type != amqp::FrameType::heartbeat) {
        return on_channel_frame(frame);
      }
    }
    on_other_frame(frame);
  }
  void on_other_frame(const amqp::Frame& frame);
  void on_connection_frame(const amqp::Frame& frame);
  Fault on_connection_method(std::string_view payload);
  Fault on_handshake_method(std::string_view payload);
  Fault after_handshake_step(Fault fault);
  Fault on_close(std::string_view arguments);
  void say_goodbye();
  void on_closing_frame(const amqp::Frame& frame);

  // session_channels.cpp
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
  void close_refused();

  // session_pause.cpp
  bool must_wait(Channel& channel, const amqp::Frame& frame, amqp::MethodId method,
                 std::size_t wanted_room);
  bool must_wait_with_content(std::size_t wanted_room);
  bool may_publish_in_alarm();
  bool may_commit_in_alarm(const Channel& channel) const;
  bool may_declare_in_alarm(const Channel& channel, const amqp::Frame& frame);
  // Then there are no exceptions: all that is left is needed for what is there already.
  bool is_disk_full() const { return context_.host.disk_room() == 0; }
  bool is_over(Pause pause);
  void enter(Pause pause);
  bool is_receiving() const { return pause_ == Pause::none || pause_ == Pause::turn; }
  std::chrono::milliseconds patience() const;
  Time pause_deadline() const;
  std::string pause_reason() const;
  void check_unfinished(Time now);
  std::size_t settled_bytes() const;
  void end_alarm();

  void fail(const Fault& fault, amqp::MethodId method = {});
  void bad_frame(const std::string& text);
  void drop_channels();
  void finish(std::string reason);

  ConnectionContext context_;
  const Time started_;
  Phase phase_ = Phase::opening;
  bool framing_lost_ = false;
  bool closed_by_client_ = false;
  Time last_heard_;  // of the client: bytes that came, or room that it made for ours
  Time last_sent_;
  Time closing_since_;
  std::chrono::milliseconds heartbeat_{0};

  Pause pause_ = Pause::none;
  Time paused_since_;
  Time last_progress_;            // of the output
  bool socket_was_full_ = false;  // did not take all that there was
  std::size_t wanted_room_ = 0;   // of the message that waits for it
  bool publishers_wait_ = false;  // as the host said when the last input began
  bool told_blocked_ = false;
  bool waits_for_disk_ = false;  // what the alarm holds back could go on if the disk were not full
  std::size_t declared_in_alarm_ = 0;
  std::optional<std::size_t> settled_before_alarm_;
  Time unfinished_check_ = Time::max();
  Time went_on_;  // the end of the last pause

  std::optional<Handshake> handshake_;
  std::uint16_t channel_max_ = 0;
  engine::Engine* engine_ = nullptr;
  std::unordered_map<std::uint16_t, std::unique_ptr<Channel>> channels_;
  std::vector<std::uint16_t> advanced_;  // of log_advanced()
  Channel* current_ = nullptr;           // the one the last frame was for
  std::uint16_t current_number_ = 0;
  bool has_ever_published_ = false;
  engine::LogPosition leaves_at_ = 0;  // where the log has to be durable before close-ok
  std::string reason_;
};

}  // namespace haypile::session
