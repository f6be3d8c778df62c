// The handshake: who a client is, and which limits were agreed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "session/fault.hpp"
#include "session/session_host.hpp"
#include "session/settings.hpp"

namespace haypile::session {

// The results of a complete handshake.
struct Opened {
  std::string user;
  engine::Engine* engine = nullptr;
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max_bytes = handshake_frame_max_bytes;
  std::chrono::seconds heartbeat{0};
  bool wants_cancel_notify = false;
  bool wants_blocked = false;
  bool qos_is_for_channel = false;
};

// Runs the methods of the handshake in their order, from the protocol header to connection.open
// (AMQP 0-9-1, 2.2.4). Frames, heartbeats and time are the session's task. Replies are appended to
// `out`.
class Handshake {
 public:
  // The host and the settings must outlive the handshake.
  Handshake(SessionHost& host, const Settings& settings) : host_(host), settings_(settings) {}

  // The step that comes next. In `login` the host has not answered yet; `refused` means that the
  // connection ends without a close method.
  enum class State : std::uint8_t { header, start, login, tune, open, opened, refused };
  State state() const { return state_; }

  // Returns how many of `bytes` were used: the whole protocol header, 0 while it is incomplete, or
  // all of them if the peer speaks another protocol.
  std::size_t receive_header(std::string_view bytes, std::string& out);
  Fault on_method(std::string_view payload, std::string& out);
  Fault login_answered(bool is_accepted, std::string& out);

  // What is known so far; complete in the state `opened`.
  const Opened& opened() const { return opened_; }
  Opened take_opened() { return std::move(opened_); }
  // Why the handshake was refused, for the log.
  const std::string& reason() const { return reason_; }

 private:
  void send_start(std::string& out) const;
  Fault on_start_ok(std::string_view arguments, std::string& out);
  Fault on_tune_ok(std::string_view arguments);
  Fault on_open(std::string_view arguments, std::string& out);
  Fault refuse_login();
  void refuse(std::string reason);

  SessionHost& host_;
  const Settings& settings_;
  State state_ = State::header;
  Opened opened_;
  std::string mechanism_;
  std::string reason_;
  bool wants_authentication_failure_close_ = false;
};

}  // namespace haypile::session
