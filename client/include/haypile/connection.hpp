// A connection to a broker: Haypile, or any other that speaks AMQP 0-9-1.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include <haypile/channel.hpp>
#include <haypile/config.hpp>
#include <haypile/error.hpp>
#include <haypile/options.hpp>

namespace haypile {

// A connection to a broker. It and its channels may be used on one thread only, except for
// Channel::stop_consuming(). A thread of its own sends output that waits and heartbeats, also while
// a callback works for hours; no signals are handled on that thread.
//
// When data is sent: a method that has an answer at once; everything else (publishing,
// acknowledging) within a millisecond, together with what follows it in that time.
class HAYPILE_EXPORT Connection {
 public:
  // Connects and logs in. Throws ConnectionFailed, ConnectionClosed (403: wrong password, 530: no
  // such vhost) or TimedOut.
  explicit Connection(std::string_view uri = "amqp://localhost");
  explicit Connection(const ConnectionOptions& options);
  // Uses a connected stream socket, for example from Broker::connect(), and owns it.
  static Connection over_socket(int descriptor, const ConnectionOptions& options = {});

  // Closes the connection as close() does, but ignores errors.
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  // Opens a channel. Throws ConnectionClosed, TimedOut, or Error if no channel number is free.
  Channel channel();

  // Sends what is not sent yet and performs the close handshake. Channels cannot be used any more.
  void close();
  bool is_open() const;
  // Whether the broker has asked us not to send messages for now (connection.blocked).
  bool is_blocked() const;

 private:
  explicit Connection(std::shared_ptr<class ConnectionImpl> impl);
  std::shared_ptr<class ConnectionImpl> impl_;
};

}  // namespace haypile
