// A connection at work: the protocol, a socket, and the thread that sends what waits and the
// heartbeats.
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

class ConnectionImpl {
 public:
  // Logs in; throws as Connection does.
  ConnectionImpl(Socket socket, const ConnectionOptions& options);
  ~ConnectionImpl();
  ConnectionImpl(const ConnectionImpl&) = delete;
  ConnectionImpl& operator=(const ConnectionImpl&) = delete;

  Protocol& protocol() { return protocol_; }
  const ConnectionOptions& options() const { return options_; }
  Event& event() { return event_; }

  // What the protocol has to send goes out soon.
  void send_soon();
  // Handles what comes until `done` says so, or the connection has ended, or `until` has come.
  // Whether `done` is true.
  bool wait(const std::function<bool()>& done, std::optional<Clock::time_point> until);
  // The same, for an answer; throws TimedOut.
  void wait_for_answer(const std::function<bool()>& done);
  // Throws ConnectionClosed if it has ended.
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

  mutable std::mutex mutex_;  // for what follows, down to the thread
  std::condition_variable wake_;
  std::string waiting_;  // to be sent: whole frames, but for the first one
  std::size_t sent_ = 0;
  std::string send_error_;
  Clock::time_point last_sent_ = Clock::now();
  std::chrono::milliseconds heartbeat_{0};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace haypile
