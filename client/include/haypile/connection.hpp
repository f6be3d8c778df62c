// A connection to a broker, Haypile's or any other that speaks AMQP 0-9-1.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include <haypile/channel.hpp>
#include <haypile/error.hpp>
#include <haypile/options.hpp>

namespace haypile {

// Connection and channels belong together to one thread, apart from Channel::stop_consuming().
// A thread of its own sends heartbeats, also while a callback works for hours, and what is waiting
// to be sent; signals are never handled on it.
//
// When data goes out: a method that has an answer at once; everything else (publishing,
// acknowledging) within a millisecond, in one piece with what follows it meanwhile.
class Connection {
 public:
  // Connects and logs in. Throws ConnectionFailed, ConnectionClosed (403: wrong password, 530: no
  // such vhost) or TimedOut.
  explicit Connection(std::string_view uri = "amqp://localhost");
  explicit Connection(const ConnectionOptions& options);
  // Over a connected stream socket, which it then owns; what Broker::connect() gives.
  static Connection over_socket(int descriptor, const ConnectionOptions& options = {});

  // As close(), but what goes wrong is passed over.
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  // Throws ConnectionClosed, TimedOut, or Error when no channel number is free.
  Channel channel();

  // Sends what is left to send and takes leave. Channels cannot be used any more.
  void close();
  bool is_open() const;
  // The broker has asked not to be sent more messages for now (connection.blocked).
  bool is_blocked() const;

 private:
  explicit Connection(std::shared_ptr<class ConnectionImpl> impl);
  std::shared_ptr<class ConnectionImpl> impl_;
};

}  // namespace haypile
