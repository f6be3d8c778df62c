// Sends, receives and waits for all channels of a connection. What it does with the events of a
// channel is in channel_events.cpp.
#include "connection_impl.hpp"

#include <algorithm>
#include <exception>
#include <utility>
#include <variant>

#include "channel_impl.hpp"
#include "signals_blocked.hpp"

namespace haypile {

namespace {
// More output than this is sent at once, and what is published waits for room.
constexpr std::size_t send_at_once_bytes = 64u << 10;
constexpr std::size_t receive_bytes = 256u << 10;
// Small output waits for more if the last output went out less than this time ago.
constexpr std::chrono::microseconds linger{500};
// The sending thread looks for output by itself for this time after it has sent some; then it
// sleeps until it is woken, which costs the one who wakes it more.
constexpr std::chrono::milliseconds stays_awake{20};
constexpr std::chrono::milliseconds full_socket_pause{10};
}  // namespace

// Marks that a thread polls for all, who look at what has changed when it ends.
class ConnectionImpl::Polling {
 public:
  explicit Polling(ConnectionImpl& connection) : connection_(connection) {
    connection_.is_polling_ = true;
  }
  ~Polling() {
    connection_.is_polling_ = false;
    if (connection_.follower_count_ != 0) connection_.polled_.notify_all();
  }
  Polling(const Polling&) = delete;
  Polling& operator=(const Polling&) = delete;

 private:
  ConnectionImpl& connection_;
};

// All state is under one mutex. Output goes from protocol_.output() through transport_ to the
// socket, with flush(). It is sent
// - by the thread that has made it, if nothing was sent for a while, or if there is much of it;
// - by a thread that waits for something;
// - by thread_, if none of them comes. It sends the heartbeats, too, also while the program's
//   threads are busy elsewhere.
// Input is read by the program's threads alone, and only during calls. So a program that does not
// read does not fill its memory, and its callbacks run on its own threads.
ConnectionImpl::ConnectionImpl(Transport transport, const ConnectionOptions& options,
                               TimePoint started)
    : options_(options), transport_(std::move(transport)), protocol_(options, started) {
  Lock lock = this->lock();
  wait(
      lock, [this] { return protocol_.state() == Protocol::State::open; }, std::nullopt);
  if (!transport_.tls_error().empty()) throw ConnectionFailed(protocol_.reason().text);
  check_in_time();
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { send_in_background(); });
}

ConnectionImpl::~ConnectionImpl() {
  try {
    Lock lock = this->lock();
    close(lock);
  } catch (const std::exception&) {
    // Nobody is left who could be told.
  }
  stop_thread();
}

void ConnectionImpl::check_open() const {
  if (protocol_.state() == Protocol::State::open) return;
  if (protocol_.state() == Protocol::State::closing) {
    throw ConnectionClosed(0, "the connection is being closed", "");
  }
  const CloseReason& reason = protocol_.reason();
  throw ConnectionClosed(reason.code, reason.text, reason.method);
}

void ConnectionImpl::check_in_time() const {
  if (protocol_.state() == Protocol::State::closed &&
      protocol_.reason().ending == Ending::timed_out) {
    throw TimedOut(protocol_.reason().text);
  }
  check_open();
}

bool ConnectionImpl::is_open() {
  look();
  return protocol_.state() == Protocol::State::open;
}

bool ConnectionImpl::is_blocked() {
  look();
  return protocol_.blocked();
}

// Sends as much as the socket takes now.
void ConnectionImpl::flush() {
  transport_.write(protocol_.output());
  if (transport_.unsent_size() == 0) return;
  std::string error;
  const std::size_t count = transport_.flush(error);
  last_flush_ = Clock::now();
  if (count != 0) protocol_.sent(last_flush_);
  if (error.empty()) return;
  // What the broker has said before it closed the socket tells more than the error of sending.
  while (protocol_.state() != Protocol::State::closed && receive()) {
  }
  protocol_.lost("connection lost: " + error);
  handle_events();
}

// Handles one portion of what has come. Returns whether there was any.
bool ConnectionImpl::receive() {
  const std::size_t before = received_.size();
  std::string error;
  const bool more = transport_.receive(received_, receive_bytes, error);
  const bool any = received_.size() != before;
  if (any) received_.erase(0, protocol_.receive(received_, Clock::now()));
  if (!more) protocol_.lost("connection lost" + (error.empty() ? "" : ": " + error));
  handle_events();
  // Some of it is answered by the protocol itself.
  if (has_unsent()) send_soon();
  return any;
}

void ConnectionImpl::look() {
  if (is_polling_ || protocol_.state() == Protocol::State::closed) return;
  receive();
}

void ConnectionImpl::handle_events() {
  while (protocol_.has_events()) {
    protocol_.take_events(events_);
    for (Event& event : events_)
      std::visit([this](auto& it) { handle(it); }, event);
    events_.clear();
  }
}

template <class ChannelEvent>
void ConnectionImpl::handle(ChannelEvent& event) {
  const auto found = channels_.find(event.channel);
  if (found == channels_.end()) return;
  ChannelImpl& channel = *found->second;
  channel.handle(event);
  join_line(channel);
}

void ConnectionImpl::handle(event::Blocked& event) {
  if (on_blocked_) blocked_news_.push_back(std::move(event));
}

// A last try: the broker waits for our answer to its goodbye.
void ConnectionImpl::handle(event::Closed&) {
  transport_.write(protocol_.output());
  transport_.finish();
}

// One round of waiting for all threads.
void ConnectionImpl::poll(Lock& lock, std::optional<TimePoint> until) {
  const auto next = protocol_.deadline();
  if (next && (!until || *next < *until)) until = next;
  const bool want_writable = has_unsent();
  const Polling polling(*this);
  lock.unlock();
  const Socket::Ready ready = transport_.socket().wait(want_writable, waker_, until);
  lock.lock();
  // Whoever has called wake() has changed something before, which the caller looks at now.
  if (ready.woken) waker_.clear();
  if (ready.readable) {
    receive();
  } else {
    protocol_.tick(Clock::now());
    handle_events();
  }
}

bool ConnectionImpl::wait(Lock& lock, const std::function<bool()>& done,
                          std::optional<TimePoint> until) {
  while (!done()) {
    if (protocol_.state() == Protocol::State::closed) return false;
    if (is_polling_) {
      ++follower_count_;
      if (until) {
        polled_.wait_until(lock, *until);
      } else {
        polled_.wait(lock);
      }
      --follower_count_;
    } else {
      flush();
      poll(lock, until);
    }
    if (until && Clock::now() >= *until) break;
  }
  if (has_unsent()) wake_sender();
  return done();
}

void ConnectionImpl::make_room(Lock& lock) {
  // At the beginning of a burst it costs little to hear what the broker has to say.
  if (!has_unsent()) look();
  check_open();
  const auto has_room = [this] { return unsent_size() < send_at_once_bytes; };
  if (has_room()) return;
  if (wait(lock, has_room, Clock::now() + options_.publish_timeout)) return;
  check_open();
  throw TimedOut(protocol_.blocked()
                     ? "the broker takes no messages now (connection.blocked); nothing was sent"
                     : "the broker took no more output in time; nothing was sent");
}

void ConnectionImpl::send_soon() {
  if (unsent_size() >= send_at_once_bytes || Clock::now() - last_flush_ >= linger) {
    flush();
  }
  if (has_unsent()) wake_sender();
}

void ConnectionImpl::wake_sender() {
  if (!is_asleep_) return;
  is_asleep_ = false;
  wake_.notify_one();
}

void ConnectionImpl::send_in_background() {
  Lock lock = this->lock();
  TimePoint awake_until{};
  while (!stopping_) {
    const TimePoint now = Clock::now();
    if (!has_unsent()) protocol_.keep_alive(now);
    if (has_unsent() && now - last_flush_ >= linger) {
      flush();
      awake_until = now + stays_awake;
      if (has_unsent()) {  // the socket is full
        lock.unlock();
        transport_.socket().wait_writable(now + full_socket_pause);
        lock.lock();
        continue;
      }
    }
    if (has_unsent() || now < awake_until) {
      wake_.wait_for(lock, linger);
    } else {
      sleep(lock);
    }
  }
}

// Sleeps until there is output, or a heartbeat is due.
void ConnectionImpl::sleep(Lock& lock) {
  is_asleep_ = true;
  const auto woken = [this] { return stopping_ || !is_asleep_; };
  if (const auto next = protocol_.keep_alive_deadline()) {
    wake_.wait_until(lock, *next, woken);
  } else {
    wake_.wait(lock, woken);
  }
  is_asleep_ = false;
}

void ConnectionImpl::stop_thread() {
  if (!thread_.joinable()) return;
  {
    const Lock lock = this->lock();
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void ConnectionImpl::close(Lock& lock) {
  if (protocol_.state() == Protocol::State::closed) return;
  protocol_.close(Clock::now(), options_.close_timeout);
  wait(
      lock, [this] { return protocol_.state() == Protocol::State::closed; }, std::nullopt);
}

void ConnectionImpl::set_blocked_callback(BlockedCallback callback) {
  on_blocked_ = std::move(callback);
}

void ConnectionImpl::tell_blocked(Lock& lock) {
  while (!blocked_news_.empty()) {
    const event::Blocked news = std::move(blocked_news_.front());
    blocked_news_.pop_front();
    const BlockedCallback callback = on_blocked_;
    if (!callback) continue;
    lock.unlock();
    callback(news.blocked, news.reason);
    lock.lock();
  }
}

bool ConnectionImpl::run(std::optional<TimePoint> until) {
  return serve(*this, stopped_, until);
}

void ConnectionImpl::stop() noexcept {
  stopped_ = true;
  waker_.wake();
}

// A channel goes to the end of the line after each message, so that all are served in turn.
std::shared_ptr<ChannelImpl> ConnectionImpl::next_busy_channel() {
  while (!busy_channels_.empty()) {
    std::shared_ptr<ChannelImpl> channel = busy_channels_.front().lock();
    busy_channels_.pop_front();
    if (!channel) continue;
    channel->leave_line();
    if (channel->is_busy()) return channel;
  }
  return nullptr;
}

void ConnectionImpl::join_line(ChannelImpl& channel) {
  if (channel.joins_line()) busy_channels_.push_back(channel.weak_from_this());
}

bool ConnectionImpl::has_consumers() const {
  return std::any_of(channels_.begin(), channels_.end(),
                     [](const auto& entry) { return entry.second->has_consumers(); });
}

}  // namespace haypile
