#include "connection_impl.hpp"

#include <algorithm>
#include <utility>

#include "signals_blocked.hpp"

namespace haypile {

namespace {
// More output than this is sent without waiting for more.
constexpr std::size_t send_at_once_bytes = 64u << 10;
constexpr std::size_t receive_bytes = 256u << 10;
// The time for which small output waits for more.
constexpr std::chrono::microseconds linger{200};
constexpr std::chrono::seconds close_timeout{5};
}  // namespace

// Two threads work on a connection. The program's thread alone uses protocol_ and reads the socket,
// but only during calls. The thread in run() sends what is in waiting_ and the heartbeats, so that
// they go out when the program is busy elsewhere. Output goes from protocol_.output() to waiting_,
// with take_output(), and from there to the socket, with send_waiting(), both under the mutex.
// waiting_ consists of whole frames, of which sent_ bytes have gone out; so a heartbeat, which
// run() adds only when waiting_ is empty, never falls into a frame.
ConnectionImpl::ConnectionImpl(Socket socket, const ConnectionOptions& options)
    : options_(options), socket_(std::move(socket)), protocol_(options) {
  const bool opened = wait([this] { return protocol_.state() != Protocol::State::handshake; },
                           Clock::now() + options_.connection_timeout);
  if (!opened) {
    if (protocol_.state() == Protocol::State::closed) check_open();
    throw TimedOut("the broker did not finish the handshake in time");
  }
  check_open();
  heartbeat_ = std::chrono::seconds(protocol_.heartbeat_s());
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

ConnectionImpl::~ConnectionImpl() {
  try {
    close();
  } catch (const Error&) {
    // Nobody is left who could be told.
  }
  stop_thread();
}

void ConnectionImpl::check_open() const {
  if (protocol_.state() == Protocol::State::open) return;
  const auto& reason = protocol_.reason();
  if (!reason) throw ConnectionClosed(0, "the connection has been closed", "");
  throw ConnectionClosed(reason->code, reason->text, reason->method);
}

// The caller must hold the mutex.
void ConnectionImpl::take_output() {
  std::string& output = protocol_.output();
  if (waiting_.empty()) {
    waiting_.swap(output);
  } else {
    waiting_ += output;
    output.clear();
  }
}

// Sends as much as the socket takes now. The caller must hold the mutex.
void ConnectionImpl::send_waiting() {
  if (!send_error_.empty()) waiting_.clear();
  if (waiting_.empty()) return;
  sent_ += socket_.send(std::string_view(waiting_).substr(sent_), send_error_);
  last_sent_ = Clock::now();
  if (sent_ < waiting_.size() && send_error_.empty()) return;
  waiting_.clear();
  sent_ = 0;
}

void ConnectionImpl::send_soon() {
  bool many = false;
  {
    const std::lock_guard lock(mutex_);
    const bool was_empty = waiting_.empty();
    take_output();
    if (was_empty && !waiting_.empty()) wake_.notify_one();
    many = waiting_.size() - sent_ >= send_at_once_bytes;
  }
  if (many) flush();
}

// Reads, too, while it waits for room in the socket: a broker that waits for us to read would
// otherwise wait for ever, and so would we.
void ConnectionImpl::flush() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      take_output();
      send_waiting();
      if (waiting_.empty()) return;
    }
    if (socket_.wait(true, nullptr, std::nullopt).readable) receive();
    if (protocol_.state() == Protocol::State::closed) return;
  }
}

void ConnectionImpl::receive() {
  std::string error;
  const bool more = socket_.receive(received_, receive_bytes, error);
  received_.erase(0, protocol_.receive(received_));
  last_received_ = Clock::now();
  if (!more) protocol_.lost("connection lost" + (error.empty() ? "" : ": " + error));
}

bool ConnectionImpl::wait(const std::function<bool()>& done,
                          std::optional<Clock::time_point> until) {
  const Clock::time_point started = Clock::now();
  while (!done()) {
    if (protocol_.state() == Protocol::State::closed) return false;
    flush();
    std::optional<Clock::time_point> silent_at;
    if (protocol_.heartbeat_s() != 0) {
      silent_at =
          std::max(started, last_received_) + 2 * std::chrono::seconds(protocol_.heartbeat_s());
    }
    const auto wake_at = until && silent_at ? std::min(until, silent_at)
                         : until            ? until
                                            : silent_at;
    if (socket_.wait(false, &event_, wake_at).readable) {
      receive();
      continue;
    }
    const Clock::time_point now = Clock::now();
    if (silent_at && now >= *silent_at) protocol_.lost("connection lost: two heartbeats missed");
    if (until && now >= *until) return done();
  }
  flush();
  return true;
}

void ConnectionImpl::wait_for_answer(const std::function<bool()>& done) {
  if (wait(done, Clock::now() + options_.rpc_timeout)) return;
  check_open();
  protocol_.lost("an answer did not come in time");
  throw TimedOut("the broker did not answer in time; the connection is closed");
}

void ConnectionImpl::close() {
  if (protocol_.state() == Protocol::State::closed) return;
  protocol_.close();
  wait([this] { return protocol_.state() == Protocol::State::closed; },
       Clock::now() + close_timeout);
  protocol_.lost("closed");
  stop_thread();
}

void ConnectionImpl::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (waiting_.empty()) {
      const auto wanted = [this] { return stopping_ || !waiting_.empty(); };
      if (heartbeat_.count() == 0) {
        wake_.wait(lock, wanted);
      } else {
        wake_.wait_until(lock, last_sent_ + heartbeat_ / 2, wanted);
        if (waiting_.empty() && Clock::now() >= last_sent_ + heartbeat_ / 2) {
          amqp::append_heartbeat(waiting_);
        }
      }
    }
    if (stopping_) return;
    lock.unlock();
    std::this_thread::sleep_for(linger);
    lock.lock();
    send_waiting();
    if (waiting_.empty()) continue;
    // The socket takes no more now. Release the mutex, so that the other thread can continue.
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    lock.lock();
  }
}

void ConnectionImpl::stop_thread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

}  // namespace haypile
