#include "server/connection.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <utility>

#include <poll.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "server/clocks.hpp"
#include "server/random.hpp"
#include "server/reactor.hpp"

namespace haypile::server {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;
using boost::system::error_code;

namespace {
// The time in which a client can read why it was refused, however late that was.
constexpr auto last_word = 1s;
// The most that is sent at a time: the kernel copies it while others wait.
constexpr std::size_t write_max_bytes = 1u << 20;
}  // namespace

// update_waits() decides what a connection waits for before it reads more: input on the socket
// (reading_), its turn (awaits_turn_, also with reading_ if the socket is readable already), the
// end of an alarm (is_listed_, until the client was told of it), room for a message (awaits_room_),
// or the end of `unread`, which write() and log_advanced() look for. Independently of that it may
// wait for the socket to take output (writing_) and for the log (awaiting_log_). Each flag is set
// as long as somebody has to call back, so that nothing is waited for twice.
//
// The end has two steps: the session finishes, and its last output is sent, until drain_until_
// at the latest. Then close() closes the socket, and the reactor forgets the connection.
Connection::Connection(Reactor& reactor, Socket socket, Peer peer, LoginGate::Place place,
                       engine::OwnerId id)
    : reactor_(reactor),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      place_(std::move(place)),
      id_(id),
      login_until_(Clock::now() + reactor.settings().handshake_timeout),
      session_(*this, reactor.settings(), id, Clock::now()),
      timer_(reactor.io()) {}

void Connection::start() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);  // fails on in-process sockets
  arm_timer();
  wait_readable();
}

// A later version will have users. Until then there is one, for this machine only.
session::LoginAnswer Connection::log_in(std::string_view user, std::string_view password) {
  if (user == "guest" && password == "guest" && peer_.is_local) {
    return session::LoginAnswer::accepted;
  }
  refuse_at_ = std::min(reactor_.admission().refuse(peer_), login_until_);
  return session::LoginAnswer::refused;
}

bool Connection::waits_for_refusal() const {
  return refuse_at_ != Clock::time_point{};
}

session::SessionMemory& Connection::memory() {
  return reactor_.session_memory();
}

bool Connection::publishers_must_wait() {
  vhost_->set_memory_elsewhere(reactor_.session_memory().bytes());
  return vhost_->publishers_must_wait();
}

engine::Engine* Connection::find_vhost(std::string_view name) {
  vhost_ = reactor_.find_vhost(name);
  update_clock();
  return vhost_ ? &vhost_->engine() : nullptr;
}

std::string Connection::unique_name() {
  return random_name();
}

void Connection::output_ready() {
  if (std::exchange(dirty_, true)) return;
  reactor_.add_dirty(shared_from_this());
}

void Connection::wait_readable() {
  if (reading_ || awaits_turn_ || !socket_.is_open()) return;
  reading_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const error_code& error) {
    if (error) {
      self->reading_ = false;
    } else if (self->vhost_ && self->vhost_->turns().defers(self->publishes_)) {
      self->await_turn(self->publishes_);
    } else {
      self->read_socket();
    }
  });
}

void Connection::update_clock() {
  if (vhost_) vhost_->set_now(read_boot_clock());
}

void Connection::await_turn(bool as_publisher) {
  if (std::exchange(awaits_turn_, true)) return;
  vhost_->turns().add(shared_from_this(), as_publisher);
  reactor_.schedule_turn();
}

void Connection::read() {
  awaits_turn_ = false;
  if (reading_) return read_socket();
  if (!socket_.is_open() || session_.pause() != session::Pause::turn) return;
  update_clock();
  process_rest();
}

void Connection::read_socket() {
  reading_ = false;
  if (!socket_.is_open()) return;
  update_clock();
  const auto buffer = reactor_.read_buffer();
  std::ranges::copy(rest_, buffer.data());
  const auto room = buffer.subspan(rest_.size());
  error_code error;
  const std::size_t count =
      socket_.read_some(asio::buffer(room.data(), read_size(room.size())), error);
  if (publishes_) vhost_->turns().count_published(count);
  if (error == asio::error::would_block || error == asio::error::try_again) {
    wait_readable();
  } else if (error) {
    close(error == asio::error::eof ? "closed by the client" : error.message());
  } else {
    process_input({buffer.data(), rest_.size() + count});
  }
}

// Input that cannot be used yet has to be kept, so little is read from a client that has not logged
// in, and from each client when memory is low.
std::size_t Connection::read_size(std::size_t room) const {
  if (!vhost_) return std::min<std::size_t>(room, session::handshake_frame_max_bytes);
  const bool is_tight = vhost_->alarms().is_memory_low;
  const std::size_t size = vhost_->turns().read_size(room, publishes_, is_tight);
  // A large frame is read in large pieces; otherwise it would be copied again for each small one.
  if (rest_.size() < size / 2) return size;
  return is_tight ? std::min<std::size_t>(room, reactor_.settings().frame_max_bytes) : room;
}

// If there is no memory for what has to be kept or sent to a client, only this connection ends. If
// the engine runs out of memory in the middle of its work, the whole broker fails.
void Connection::process_input(std::string_view bytes) {
  if (vhost_) vhost_->engine().work().begin_share();
  std::size_t used = 0;
  try {
    used = session_.receive(bytes, Clock::now());
  } catch (const std::bad_alloc&) {
    if (!vhost_) return close("out of memory");
    return reactor_.fail("out of memory");
  }
  try {
    keep(bytes.substr(used));
  } catch (const std::bad_alloc&) {
    return close("out of memory");
  }
  update_waits();
}

// rest_ is moved away first, because what is left again may be a part of it.
void Connection::process_rest() {
  const std::string left = std::exchange(rest_, {});
  process_input(left);
}

void Connection::keep(std::string_view rest) {
  if (rest.empty() && rest_.capacity() > session::Output::kept_bytes) {
    std::string().swap(rest_);
  } else {
    rest_.assign(rest);
  }
  count_rest(rest_.capacity());
}

void Connection::count_rest(std::size_t bytes) {
  reactor_.session_memory().add(bytes, std::exchange(rest_counted_, bytes));
}

// Sets up what the session waits for, which may have changed with everything that it was told.
void Connection::update_waits() {
  await_log();
  if (session_.finished() && drain_until_ == Clock::time_point{}) {
    drain_until_ = Clock::now() + reactor_.settings().close_timeout;
  }
  if (deadline() < armed_for_) arm_timer();
  reactor_.schedule_turn();
  if (session_.is_open()) place_.leave();
  if (waits_for_refusal()) return;
  if (session_.finished()) output_ready();
  if (session_.finished() && !session_.closed_by_client()) return;
  publishes_ = session_.take_published();
  switch (session_.pause()) {
    case session::Pause::none:
      return wait_readable();
    case session::Pause::turn:
      return await_turn(false);
    case session::Pause::alarm:
      session_.tell_blocked(vhost_->alarm_text());
      if (!std::exchange(is_listed_, true)) reactor_.pause(*vhost_, shared_from_this());
      return;
    case session::Pause::room:
      if (!std::exchange(awaits_room_, true)) reactor_.await_room(shared_from_this());
      return;
    case session::Pause::login:   // the host's answer will come
    case session::Pause::unread:  // write() continues
      return;
  }
}

void Connection::resume_if_over() {
  if (!session_.try_to_resume(Clock::now())) return;
  update_clock();
  process_rest();
}

// A client that was told of the alarm is also told of its end.
bool Connection::try_to_resume() {
  if (!socket_.is_open()) return true;
  resume_if_over();
  if (!socket_.is_open()) return true;
  if (deadline() < armed_for_) arm_timer();
  is_listed_ = session_.pause() == session::Pause::alarm || session_.has_told_blocked();
  return !is_listed_;
}

void Connection::try_room() {
  awaits_room_ = false;
  if (!socket_.is_open()) return;
  resume_if_over();
  if (socket_.is_open() && session_.pause() == session::Pause::room &&
      !std::exchange(awaits_room_, true)) {
    reactor_.await_room(shared_from_this());
  }
}

void Connection::check_peer() {
  if (!socket_.is_open()) return;
  ::pollfd peer{socket_.native_handle(), POLLRDHUP, 0};
  if (::poll(&peer, 1, 0) > 0) close("the client has gone");
}

// Writes once a call: a client that takes all it can get must not keep others waiting.
std::size_t Connection::flush() {
  dirty_ = false;
  if (!socket_.is_open() || waits_for_refusal()) return 0;
  if (deadline() < armed_for_) arm_timer();  // the session may have a channel to close
  if (writing_) return 0;
  if (session_.output_is_lost()) {
    close("out of memory");
    return 0;
  }
  const std::size_t sent = session_.has_output() ? write() : 0;
  if (writing_ || !socket_.is_open()) return sent;
  // What is more than one write takes waits for the next turn, after the others.
  if (session_.has_output()) output_ready();
  // Some clients take the end of the stream for an error if it comes before they have closed it.
  if (session_.finished() && !session_.has_output() && !session_.closed_by_client()) {
    close(session_.reason());
  }
  return sent;
}

// Writes once. If the socket takes less than that, continues when it has room again.
std::size_t Connection::write() {
  session::OutputPieces pieces;
  session_.look_at_output(pieces);
  std::array<asio::const_buffer, session::OutputPieces::count_max> buffers;
  std::size_t count = 0;
  std::size_t offered = 0;
  for (; count < pieces.count && offered < write_max_bytes; ++count) {
    const std::string_view piece = pieces.pieces[count].substr(0, write_max_bytes - offered);
    buffers[count] = asio::buffer(piece);
    offered += piece.size();
  }
  error_code error;
  const std::size_t sent = count == 1 ? socket_.write_some(buffers[0], error)
                                      : socket_.write_some(std::span(buffers.data(), count), error);
  if (error && error != asio::error::would_block && error != asio::error::try_again) {
    close(error.message());
    return 0;
  }
  session_.output_sent(sent, Clock::now());  // may produce more output
  if (session_.pause() == session::Pause::unread) resume_if_over();
  if (!socket_.is_open()) return sent;
  if (deadline() < armed_for_) arm_timer();
  if (sent < offered) wait_writable();
  return sent;
}

void Connection::wait_writable() {
  writing_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code& error) {
    self->writing_ = false;
    if (!error) self->output_ready();
  });
}

void Connection::log_advanced() {
  if (!socket_.is_open()) return;
  awaiting_log_ = false;
  session_.log_advanced();
  await_log();
  if (session_.finished()) return update_waits();
  if (session_.pause() == session::Pause::unread) resume_if_over();
}

void Connection::await_log() {
  if (!session_.awaits_log() || std::exchange(awaiting_log_, true)) return;
  vhost_->await_log(shared_from_this());
}

void Connection::shut_down() {
  if (session_.finished()) return close(session_.reason());
  session_.shut_down(Clock::now());
  update_waits();
}

Clock::time_point Connection::deadline() const {
  if (waits_for_refusal()) return refuse_at_;
  return session_.finished() ? drain_until_ : session_.deadline();
}

void Connection::arm_timer() {
  armed_for_ = deadline();
  if (armed_for_ == Clock::time_point::max()) return;
  timer_.expires_at(armed_for_);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error) self->on_timer();
  });
}

// A session that has finished may still have something to send: why it ended.
void Connection::on_timer() {
  if (!socket_.is_open()) return;
  update_clock();
  const auto now = Clock::now();
  if (waits_for_refusal()) {
    if (now < refuse_at_) return arm_timer();
    refuse_at_ = {};
    // A client that is refused late still needs a moment to read why.
    drain_until_ =
        std::min(now + reactor_.settings().close_timeout, std::max(login_until_, now + last_word));
    flush();
    if (!socket_.is_open()) return;
    if (!session_.finished()) wait_readable();
    return arm_timer();
  }
  if (session_.finished()) {
    if (now >= drain_until_) return close(session_.reason());
    return arm_timer();
  }
  session_.tick(now);
  if (session_.finished()) return close(session_.reason());
  reactor_.schedule_turn();
  arm_timer();
}

void Connection::close(const std::string& reason) {
  if (!socket_.is_open()) return;
  update_clock();
  const auto self = shared_from_this();  // the reactor releases its pointer
  error_code ignored;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
  timer_.cancel();
  place_.leave();
  session_.disconnected();
  count_rest(0);
  // The reason why the broker closed it says more than how the client reacted.
  reactor_.remove(*this, peer_.name, session_.reason().empty() ? reason : session_.reason());
}

}  // namespace haypile::server
