// The implementation of a connection: the protocol, a socket, and the thread that sends waiting
// output and heartbeats.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <haypile/error.hpp>
#include <haypile/options.hpp>

#include "protocol.hpp"
#include "socket.hpp"

namespace haypile {

// Implements Connection. Used on the connection's thread, except event().
class ConnectionImpl {
 public:
  // Logs in. Throws what Connection's constructor throws.
  ConnectionImpl(Socket socket, const ConnectionOptions& options);
  ~ConnectionImpl();
  ConnectionImpl(const ConnectionImpl&) = delete;
  ConnectionImpl& operator=(const ConnectionImpl&) = delete;

  Protocol& protocol() { return protocol_; }
  const ConnectionOptions& options() const { return options_; }
  Event& event() { return event_; }

  // Lets the output of the protocol be sent soon.
  void send_soon();
  // Sends output and handles input until `done` returns true, the connection has ended, or `until`
  // has come. Returns whether `done` is true.
  bool wait(const std::function<bool()>& done, std::optional<Clock::time_point> until);
  // Waits in the same way for an answer. Throws TimedOut.
  void wait_for_answer(const std::function<bool()>& done);
  // Throws ConnectionClosed if the connection has ended.
  void check_open() const;
  void close();

 private:
  void take_output();
  void send_waiting();
  void flush();
  void receive();
  void run();
  void stop_thread();

  const ConnectionOptions options_;
  Socket socket_;
  Protocol protocol_;
  Event event_;
  std::string received_;  // the start of a frame
  Clock::time_point last_received_ = Clock::now();

  mutable std::mutex mutex_;  // protects the members below, up to thread_
  std::condition_variable wake_;
  std::string waiting_;  // whole frames to be sent, without sent_ bytes at the beginning
  std::size_t sent_ = 0;
  std::string send_error_;
  Clock::time_point last_sent_ = Clock::now();
  std::chrono::milliseconds heartbeat_{0};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace haypile
