#include "server/connection.hpp"

#include <algorithm>
#include <utility>

#include <poll.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "server/clocks.hpp"
#include "server/core.hpp"
#include "server/random.hpp"

namespace haypile::server {

using Clock = std::chrono::steady_clock;
using boost::system::error_code;

Connection::Connection(Core& core, Socket socket, Peer peer, LoginGate::Place place,
                       engine::OwnerId id)
    : core_(core),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      place_(std::move(place)),
      id_(id),
      session_(*this, core.settings(), id, Clock::now()),
      timer_(core.io()) {}

void Connection::start() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);  // fails on in-process sockets
  arm_timer();
  wait_readable();
}

// Users come with a later version; until then there is one, for this machine only.
bool Connection::may_log_in(std::string_view user, std::string_view password) {
  const bool may = user == "guest" && password == "guest" && peer_.is_local;
  if (!may) refuse_at_ = core_.door().refuse(peer_);
  return may;
}

bool Connection::waits_for_refusal() const {
  return refuse_at_ != Clock::time_point{};
}

engine::Engine* Connection::find_vhost(std::string_view name) {
  vhost_ = core_.find_vhost(name);
  update_clock();
  return vhost_ ? &vhost_->engine() : nullptr;
}

std::string Connection::unique_name() {
  return random_name();
}

void Connection::output_ready() {
  if (std::exchange(dirty_, true)) return;
  core_.add_dirty(shared_from_this());
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
  core_.schedule_turn();
}

void Connection::read() {
  awaits_turn_ = false;
  if (reading_) return read_socket();
  if (socket_.is_open()) resume_reading();
}

void Connection::read_socket() {
  reading_ = false;
  if (!socket_.is_open()) return;
  update_clock();
  const auto buffer = core_.read_buffer();
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
    use({buffer.data(), rest_.size() + count});
  }
}

// What is read and cannot be used yet has to be kept: little of those who have not logged in, and
// of each when memory is low.
std::size_t Connection::read_size(std::size_t room) const {
  if (!vhost_) return std::min<std::size_t>(room, session::handshake_frame_max_bytes);
  const bool is_tight = vhost_->alarms().is_memory_low;
  const std::size_t size = vhost_->turns().read_size(room, publishes_, is_tight);
  // A large frame is read in large pieces, or copied again with each of the small ones.
  if (rest_.size() < size / 2) return size;
  return is_tight ? std::min<std::size_t>(room, core_.settings().frame_max_bytes) : room;
}

void Connection::use(std::string_view bytes) {
  if (vhost_) vhost_->engine().work().begin_share();
  rest_.assign(bytes.substr(session_.receive(bytes, Clock::now())));
  after_session();
}

// Whatever the session was told may have changed what it waits for.
void Connection::after_session() {
  await_log();
  if (session_.finished() && drain_until_ == Clock::time_point{}) {
    drain_until_ = Clock::now() + core_.settings().close_timeout;
  }
  if (deadline() < armed_for_) arm_timer();
  core_.schedule_turn();
  if (session_.is_open()) place_.leave();
  if (waits_for_refusal()) return;
  if (session_.finished()) output_ready();
  if (session_.finished() && !session_.closed_by_client()) return;
  if (!session_.wants_input()) return;
  publishes_ = session_.take_published();
  if (publishes_ && vhost_->holds_publishers()) {
    session_.hold_back(vhost_->alarm_text());
    if (!std::exchange(held_back_, true)) core_.pause(*vhost_, shared_from_this());
    return;
  }
  // It has used up its share of the turn.
  if (session_.has_stalled()) return await_turn(false);
  wait_readable();
}

bool Connection::try_to_go_on() {
  held_back_ = false;
  if (!socket_.is_open()) return true;
  session_.go_on(Clock::now());
  if (deadline() < armed_for_) arm_timer();
  resume_reading();
  return true;
}

void Connection::resume_reading() {
  if (held_back_ || awaits_turn_ || session_.finished() || !session_.wants_input()) return;
  if (!session_.has_stalled()) return wait_readable();
  update_clock();
  const std::string left = std::exchange(rest_, {});
  use(left);
}

void Connection::look_after() {
  ::pollfd peer{socket_.native_handle(), POLLRDHUP, 0};
  if (::poll(&peer, 1, 0) > 0) close("the client has gone");
}

// One write a call: a client that takes all it can get must not keep the others waiting.
void Connection::flush() {
  dirty_ = false;
  if (writing_ || !socket_.is_open() || waits_for_refusal()) return;
  if (sending_.empty()) session_.take_output(sending_, Clock::now());
  if (!sending_.empty()) {
    error_code error;
    sent_ +=
        socket_.write_some(asio::buffer(sending_.data() + sent_, sending_.size() - sent_), error);
    if (error && error != asio::error::would_block && error != asio::error::try_again) {
      return close(error.message());
    }
    if (sent_ < sending_.size()) return wait_writable();
    sending_.clear();
    session_.output_sent(std::exchange(sent_, 0));  // may give the session more to send
    resume_reading();
    // What came up while we waited for the socket has been announced, and nobody came for it.
    if (session_.has_output()) output_ready();
  }
  // Some clients take the end of the stream for an error, if it comes before they have closed it.
  if (session_.finished() && !session_.has_output() && !session_.closed_by_client()) {
    close(session_.reason());
  }
}

void Connection::wait_writable() {
  writing_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code& error) {
    self->writing_ = false;
    if (error) return;
    self->update_clock();
    self->flush();
    self->core_.schedule_turn();  // what there was room for may have gone to the log too
  });
}

void Connection::log_advanced() {
  if (!socket_.is_open()) return;
  awaiting_log_ = false;
  session_.log_advanced();
  await_log();
}

void Connection::await_log() {
  if (!session_.awaits_log() || std::exchange(awaiting_log_, true)) return;
  vhost_->await_log(shared_from_this());
}

void Connection::shut_down() {
  if (session_.finished()) return close(session_.reason());
  session_.shut_down(Clock::now());
  after_session();
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

// A session that has finished may have something to send yet: its last word.
void Connection::on_timer() {
  if (!socket_.is_open()) return;
  update_clock();
  const auto now = Clock::now();
  if (waits_for_refusal()) {
    if (now < refuse_at_) return arm_timer();
    refuse_at_ = {};
    drain_until_ = now + core_.settings().close_timeout;
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
  core_.schedule_turn();
  arm_timer();
}

void Connection::close(const std::string& reason) {
  if (!socket_.is_open()) return;
  update_clock();
  const auto self = shared_from_this();  // the core lets go of it
  error_code ignored;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
  timer_.cancel();
  place_.leave();
  session_.disconnected();
  // Why the broker closed it says more than how the client took it.
  core_.remove(*this, peer_.name, session_.reason().empty() ? reason : session_.reason());
}

}  // namespace haypile::server
