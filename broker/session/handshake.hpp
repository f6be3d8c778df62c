// From the protocol header to connection.open: who a client is, and what was agreed with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "session/fault.hpp"
#include "session/session_host.hpp"
#include "session/settings.hpp"

namespace haypile::session {

// What a connection is when it is open.
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

// The methods of the handshake in their order; frames, heartbeats and time are the session's.
// Answers are appended to what is handed in.
class Handshake {
 public:
  // Both outlive the handshake.
  Handshake(SessionHost& host, const Settings& settings) : host_(host), settings_(settings) {}

  // Which method is waited for; `login` is the host's answer, `refused` the end without a word.
  enum class State : std::uint8_t { header, start, login, tune, open, opened, refused };
  State state() const { return state_; }

  // Returns how much of `bytes` was used: all of the protocol header or, as long as it is not
  // complete, nothing.
  std::size_t receive_header(std::string_view bytes, std::string& out);
  Fault on_method(std::string_view payload, std::string& out);
  Fault login_answered(bool is_accepted, std::string& out);

  // What is known until now; complete when the state is `opened`.
  const Opened& opened() const { return opened_; }
  Opened take_opened() { return std::move(opened_); }
  // Why it was refused.
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
