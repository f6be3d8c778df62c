// One AMQP connection as a state machine without sockets and clocks: bytes come in, bytes go out,
// and the time is handed in.
//
// The owner calls receive() with the bytes that came, writes what look_at_output() gives, calls
// tick() when deadline() has come, and log_advanced() when the log is durable further than before.
// pause() says what the owner has to wait for when nothing is read. A session belongs to one
// thread, the engine's.
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

// A connection from the protocol header, or from the end of the handshake, to the closed socket. It
// owns its channels and its output.
class Session {
 public:
  // The host and the settings must outlive the session. `owner` is not 0 and not used by another
  // session. Begins with the protocol header.
  Session(SessionHost& host, const Settings& settings, engine::OwnerId owner, Time now);
  // Begins with the first frame after connection.open; `opened` is the result of the handshake.
  Session(SessionHost& host, const Settings& settings, engine::OwnerId owner, Opened opened,
          Time now);
  // Drops the channels as disconnected() does.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Returns how many of `bytes` were used. Offer the rest again: after the pause, if pause() tells
  // one; otherwise it is the start of a frame, never longer than frame_max, and belongs in front of
  // the next input.
  std::size_t receive(std::string_view bytes, Time now);

  // Why nothing is to be read at the moment. What ends a pause:
  // - turn: receive() in the next turn, with the rest of the input;
  // - login: login_answered();
  // - the others: try_to_resume(). Try it when output was sent, the log has advanced, the alarm is
  //   over, or unfinished messages are complete.
  Pause pause() const { return pause_; }
  // Returns true if the pause is over; then call receive() with the rest of the input. Also tells
  // the client that it is no longer blocked, once that is so; call it again until then
  // (has_told_blocked()).
  bool try_to_resume(Time now);
  // Tells the client, once, that there is an alarm and why (connection.blocked), if the client
  // supports that. Does nothing if `reason` is empty.
  void tell_blocked(std::string_view reason);
  // Whether the client was told that it is blocked.
  bool has_told_blocked() const { return told_blocked_; }
  void login_answered(bool is_accepted, Time now);

  // Output. The pieces are views that stay valid until the output changes; the first `skipped`
  // bytes are left out.
  bool has_output() const { return !context_.waiting().empty(); }
  std::size_t output_size() const { return context_.waiting().size(); }
  void look_at_output(OutputPieces& pieces, std::size_t skipped = 0) const {
    context_.waiting().look(skipped, pieces);
  }
  // Call this after each write, also if it wrote only a part.
  void output_sent(std::size_t size, Time now);
  // Whether there was no memory for something that had to be sent; then close the connection.
  bool output_is_lost() const { return context_.output_is_lost; }

  bool awaits_log() const { return !context_.awaiting_log.empty() || phase_ == Phase::leaving; }
  void log_advanced();

  // When to call tick() next; may change with every call.
  Time deadline() const;
  void tick(Time now);

  // Ends all deliveries. Call this for all sessions that are about to end together, so that what
  // one of them returns does not go to the next.
  void stop_deliveries();
  // The socket is closed: unacked messages return to their queues, exclusive queues are deleted.
  void disconnected();
  // Tells the client that the broker stops (reply code 320).
  void shut_down(Time now);

  // Whether the client has logged in and its connection is open.
  bool is_open() const { return phase_ == Phase::running; }
  // Whether nothing more will come. Send the rest of the output, then close the socket.
  bool finished() const { return phase_ == Phase::finished; }
  // Whether the client sent connection.close and got its answer. Then the client closes the socket.
  bool closed_by_client() const { return closed_by_client_; }
  // Why the session ended, for the log; empty after an orderly end.
  const std::string& reason() const { return reason_; }
  const std::string& user() const { return context_.user; }
  // Whether a message came in since the last call.
  bool take_published() { return std::exchange(context_.has_published, false); }

 private:
  // opening: the handshake. running: the connection is open. leaving: the client sent close, and
  // our close-ok waits for the log. closing: we sent close and wait for close-ok. finished: the
  // end.
  enum class Phase : std::uint8_t { opening, running, leaving, closing, finished };

  void begin(Opened opened);
  // Whether further input is ignored.
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

  // Defined in session_channels.cpp.
  void on_channel_frame(const amqp::Frame& frame);
  // Handles frames for a channel that is not open (null if there is none), and methods that open or
  // close a channel.
  void on_rare_frame(Channel* channel, const amqp::Frame& frame);
  void on_rare_method(std::uint16_t number, Channel* channel, const amqp::Frame& frame);
  void on_channel_fault(Channel& channel, const Fault& fault, amqp::MethodId method);
  void open_channel(std::uint16_t number);
  // Usually it is the channel of the last frame.
  Channel* find_channel(std::uint16_t number) {
    return current_ && current_number_ == number ? current_ : change_channel(number);
  }
  Channel* change_channel(std::uint16_t number);
  void remove_channel(std::uint16_t number);
  void leave_channel();
  void close_refused();

  // Defined in session_pause.cpp.
  bool must_wait(Channel& channel, const amqp::Frame& frame, amqp::MethodId method,
                 std::size_t wanted_room);
  bool must_wait_with_content(std::size_t wanted_room);
  bool may_publish_in_alarm();
  bool may_commit_in_alarm(const Channel& channel) const;
  bool may_declare_in_alarm(const Channel& channel, const amqp::Frame& frame);
  // A full disk allows no exceptions: the remaining space is needed for what is already there.
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
  Time last_heard_;  // when bytes came, or the client made room in a full socket
  Time last_sent_;
  Time closing_since_;
  std::chrono::milliseconds heartbeat_{0};

  Pause pause_ = Pause::none;
  Time paused_since_;
  Time last_progress_;            // when output was last sent
  bool socket_was_full_ = false;  // the last write took less than there was
  std::size_t wanted_room_ = 0;   // bytes, for the message that waits
  bool publishers_wait_ = false;  // the host's last answer
  bool told_blocked_ = false;
  bool waits_for_disk_ = false;  // the frame that waits could be handled if the disk were not full
  std::size_t declared_in_alarm_ = 0;
  std::optional<std::size_t> settled_before_alarm_;
  Time unfinished_check_ = Time::max();
  Time went_on_;  // the end of the last pause

  std::optional<Handshake> handshake_;
  std::uint16_t channel_max_ = 0;
  engine::Engine* engine_ = nullptr;
  std::unordered_map<std::uint16_t, std::unique_ptr<Channel>> channels_;
  std::vector<std::uint16_t> advanced_;  // used by log_advanced()
  Channel* current_ = nullptr;           // the channel of the last frame
  std::uint16_t current_number_ = 0;
  bool has_ever_published_ = false;
  engine::LogPosition leaves_at_ = 0;  // this has to be durable before close-ok
  std::string reason_;
};

}  // namespace haypile::session
