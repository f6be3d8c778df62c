// A connection to a broker: Haypile, or any other that speaks AMQP 0-9-1.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include <haypile/channel.hpp>
#include <haypile/config.hpp>
#include <haypile/error.hpp>
#include <haypile/options.hpp>

namespace haypile {

using BlockedCallback = std::function<void(bool blocked, std::string_view reason)>;

// A connection to a broker. It and its channels may be used on any thread, also on several at a
// time; but for moving and destroying an object, which needs it for itself. Callbacks run on the
// thread that called start_consuming(), run() or another method that waits.
//
// When data is sent: a method that has an answer at once; everything else (publishing,
// acknowledging) within a millisecond, together with what follows it in that time. A thread of the
// connection's own sends what waits, and heartbeats, also while a callback works for hours; no
// signals are handled on that thread.
//
// A connection that has ended is told by the next call at the latest. No call waits without a
// limit, except those that say so: see ConnectionOptions.
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
  // After it was moved from, an object can be assigned to and destroyed; everything else throws
  // Error, and is_open() is false.
  Connection(Connection&&) noexcept;
  // Closes the connection that was there before.
  Connection& operator=(Connection&&) noexcept;

  // Opens a channel. Throws ConnectionClosed, TimedOut, or Error if no channel number is free.
  Channel channel();

  // Calls the callbacks with deliveries of all channels, a message of each in turn, until stop(),
  // or until no consumer is left. Exceptions of a callback come out of this method. Throws
  // ChannelClosed, once, for a channel that was closed with consumers; call it again for the
  // others.
  void run();
  // Does the same for at most `duration`, or until the callback that runs then returns. Returns
  // false if there is no consumer.
  bool run_for(std::chrono::milliseconds duration);
  // May be called from a callback, any thread, or a signal handler. run() then returns after the
  // current callback; if it is not running, its next call returns at once.
  void stop() noexcept;

  // Sends what is not sent yet and performs the close handshake, for at most
  // ConnectionOptions::close_timeout. Channels cannot be used any more.
  void close();
  bool is_open() const;
  // Whether the broker has asked us not to send messages for now (connection.blocked). Then
  // publishing waits as soon as the broker stops reading.
  bool is_blocked() const;
  // Sets the function that is told when the broker blocks and unblocks publishers. It is called
  // during methods that wait for an answer, for confirms or for deliveries.
  void on_blocked(BlockedCallback callback);

 private:
  explicit Connection(std::shared_ptr<class ConnectionImpl> impl);
  class ConnectionImpl& impl() const;
  std::shared_ptr<class ConnectionImpl> impl_;
};

}  // namespace haypile
