// The implementation of a connection: the protocol, a socket, and the thread that sends waiting
// output and heartbeats.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <haypile/connection.hpp>
#include <haypile/error.hpp>
#include <haypile/options.hpp>

#include "client/core/protocol.hpp"
#include "transport.hpp"

namespace haypile {

class ChannelImpl;

// Implements Connection, for any thread. A method that takes a Lock needs the lock of this
// connection; it may release it while it waits or calls the program back.
class ConnectionImpl {
 public:
  using Lock = std::unique_lock<std::mutex>;

  // Logs in, until the connection_timeout after `started` is over. Throws what Connection's
  // constructor throws.
  ConnectionImpl(Transport transport, const ConnectionOptions& options, TimePoint started);
  ~ConnectionImpl();
  ConnectionImpl(const ConnectionImpl&) = delete;
  ConnectionImpl& operator=(const ConnectionImpl&) = delete;

  Lock lock() { return Lock(mutex_); }
  Protocol& protocol() { return protocol_; }
  const ConnectionOptions& options() const { return options_; }

  // The channel gets the events of its number, until it is taken out.
  void add_channel(std::uint16_t number, ChannelImpl& channel) { channels_[number] = &channel; }
  void remove_channel(std::uint16_t number) { channels_.erase(number); }

  // Waits until `done` returns true, the connection has ended, or `until` has come. Returns
  // whether `done` is true. Output is sent, and input is handled, by one of the threads that wait.
  bool wait(Lock& lock, const std::function<bool()>& done, std::optional<TimePoint> until);
  // Handles what has come, without waiting. Does nothing in the middle of a burst of output.
  void look();
  // Waits until there is room for more output. Throws TimedOut or ConnectionClosed.
  void make_room(Lock& lock);
  // Lets the output of the protocol be sent soon.
  void send_soon();

  // Throws ConnectionClosed if the connection has ended.
  void check_open() const;
  // Throws TimedOut if the connection has ended because of a time limit; otherwise as check_open().
  void check_in_time() const;
  void close(Lock& lock);
  bool is_open();
  bool is_blocked();

  // Calls back for what comes for `served`, a channel or all of this connection, until `stopped`,
  // until it has no consumers, or until `until` has come. Returns whether it has consumers.
  template <class Served>
  bool serve(Served& served, std::atomic<bool>& stopped, std::optional<TimePoint> until);
  bool has_work() const { return !busy_channels_.empty(); }
  std::shared_ptr<ChannelImpl> next_busy_channel();
  bool has_consumers() const;
  // Calls back for deliveries of all channels, see Connection::run(). Returns whether there are
  // consumers.
  bool run(std::optional<TimePoint> until);
  void stop() noexcept;
  // Call this when a channel may have deliveries or news, for run().
  void join_line(ChannelImpl& channel);
  // Wakes the thread that waits. May be called from any thread and from signal handlers.
  void wake() noexcept { waker_.wake(); }

  void set_blocked_callback(BlockedCallback callback);
  // Calls it for the changes since the last call.
  void tell_blocked(Lock& lock);

 private:
  class Polling;

  std::size_t unsent_size() { return protocol_.output().size() + transport_.unsent_size(); }
  bool has_unsent() { return unsent_size() != 0; }
  void flush();
  bool receive();
  void handle_events();
  void handle(event::Blocked& event);
  void handle(event::Closed& event);
  void handle(event::Opened&) {}
  template <class ChannelEvent>
  void handle(ChannelEvent& event);
  void poll(Lock& lock, std::optional<TimePoint> until);
  void wake_sender();
  void send_in_background();
  void sleep(Lock& lock);
  void stop_thread();

  const ConnectionOptions options_;
  Waker waker_;
  std::atomic<bool> stopped_{false};

  std::mutex mutex_;  // protects the members below, up to thread_
  Transport transport_;
  Protocol protocol_;
  std::string received_;  // the start of a frame
  TimePoint last_flush_{};
  std::vector<Event> events_;
  std::map<std::uint16_t, ChannelImpl*> channels_;
  std::deque<std::weak_ptr<ChannelImpl>> busy_channels_;  // those with deliveries or news, in turn
  BlockedCallback on_blocked_;
  std::deque<event::Blocked> blocked_news_;

  // One of the waiting threads polls the socket for all of them.
  bool is_polling_ = false;
  std::size_t follower_count_ = 0;
  std::condition_variable polled_;

  // The thread that sends what nobody else sends.
  bool stopping_ = false;
  bool is_asleep_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace haypile
