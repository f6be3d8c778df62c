// When a connection is not read from. docs/architecture.md, "Pausing", has the table of all pauses.
#include <algorithm>
#include <utility>

#include "session/session.hpp"

namespace haypile::session {

namespace {
// The approximate memory of a definition besides its names and arguments.
constexpr std::size_t definition_bytes = 512;
}  // namespace

// A pause begins with enter() and ends with receive() for `turn`, login_answered() for `login`, and
// try_to_resume() for all others. It also ends when the session does. While it lasts, the session
// handles no input, so what is_over() looks at is only changed from outside: by other connections,
// the log, or output that is sent.
void Session::enter(Pause pause) {
  pause_ = pause;
  paused_since_ = context_.now;
}

// During an alarm everything that makes the broker hold more has to wait, except what helps
// somebody to release memory: see may_publish_in_alarm() and the functions after it.
bool Session::must_wait(Channel& channel, const amqp::Frame& frame, amqp::MethodId method,
                        std::size_t wanted_room) {
  if (frame.type != amqp::FrameType::method) return must_wait_with_content(wanted_room);
  if (!publishers_wait_) return false;
  waits_for_disk_ = method == amqp::tx::Commit::id;
  if (method == amqp::basic::Publish::id ? may_publish_in_alarm()
      : waits_for_disk_                  ? may_commit_in_alarm(channel)
                                         : may_declare_in_alarm(channel, frame)) {
    return false;
  }
  enter(Pause::alarm);
  return true;
}

// Content of which only a part is here needs room for all of it (`wanted_room`). A message that has
// begun, or that is here as a whole, needs none: only a full disk stops it.
bool Session::must_wait_with_content(std::size_t wanted_room) {
  waits_for_disk_ = wanted_room == 0;
  if (!waits_for_disk_ && !context_.has_room_for(wanted_room)) {
    wanted_room_ = wanted_room;
    enter(Pause::room);
    return true;
  }
  if (publishers_wait_ && (waits_for_disk_ ? is_disk_full() : !may_publish_in_alarm())) {
    enter(Pause::alarm);
    return true;
  }
  unfinished_check_ = std::min(unfinished_check_, context_.now + context_.settings.silence_max);
  return false;
}

// What the connection has settled since the alarm began was released, so it may publish that much
// more.
bool Session::may_publish_in_alarm() {
  if (is_disk_full()) return false;
  const std::size_t max = context_.settings.alarm_allowance_max_bytes;
  if (!settled_before_alarm_) settled_before_alarm_ = settled_bytes();
  const std::size_t settled = settled_bytes();
  const std::size_t given_back = settled - std::min(settled, *settled_before_alarm_);
  std::size_t held = std::min(context_.transaction_bytes, max);
  for (const auto& [number, channel] : channels_) {
    if (held >= max) break;
    held += channel->unsettled_bytes(max - held);
  }
  return held > 0 && context_.taken_in_alarm < held + given_back;
}

// A commit releases memory, but it needs room on the disk.
bool Session::may_commit_in_alarm(const Channel& channel) const {
  return !channel.has_published_in_transaction() || !is_disk_full();
}

bool Session::may_declare_in_alarm(const Channel& channel, const amqp::Frame& frame) {
  if (!channel.would_hold_more(frame.payload)) return true;
  if (is_disk_full()) return false;
  const std::size_t size = frame.payload.size() + definition_bytes;
  if (declared_in_alarm_ + size > context_.settings.alarm_declare_max_bytes) return false;
  declared_in_alarm_ += size;
  return true;
}

std::size_t Session::settled_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [number, channel] : channels_)
    bytes += channel->settled_bytes();
  return bytes;
}

void Session::end_alarm() {
  context_.taken_in_alarm = 0;
  declared_in_alarm_ = 0;
  settled_before_alarm_.reset();
  if (!std::exchange(told_blocked_, false) || phase_ != Phase::running) return;
  context_.send(0, amqp::connection::Unblocked{});
}

bool Session::is_over(Pause pause) {
  switch (pause) {
    case Pause::none:
    case Pause::turn:
      return true;
    case Pause::login:
      return false;
    case Pause::alarm:
      return !publishers_wait_ || (waits_for_disk_ ? !is_disk_full() : may_publish_in_alarm());
    case Pause::room:
      return context_.has_room_for(wanted_room_);
    case Pause::unread:
      return context_.replies_size() <= context_.replies_max_bytes() / 2;
  }
  return true;
}

bool Session::try_to_resume(Time now) {
  context_.now = now;
  publishers_wait_ = engine_ && context_.host.publishers_must_wait();
  if (!publishers_wait_) end_alarm();
  if (pause_ == Pause::none || !is_over(pause_)) return false;
  pause_ = Pause::none;
  last_heard_ = went_on_ = now;
  return true;
}

void Session::tell_blocked(std::string_view reason) {
  if (reason.empty() || told_blocked_ || !context_.wants_blocked || phase_ != Phase::running)
    return;
  told_blocked_ = true;
  context_.send(0, amqp::connection::Blocked{.reason = reason});
}

std::chrono::milliseconds Session::patience() const {
  return heartbeat_.count() != 0 ? 2 * heartbeat_ : context_.settings.silence_max;
}

// A client may be slow, but not for ever. `unread` has a limit only while there is output that the
// client could read, because a slow disk is not its fault. `room` has one only if the client has
// unfinished messages itself: what would complete them may be behind the frame that waits.
Time Session::pause_deadline() const {
  if (pause_ == Pause::unread && has_output()) {
    return std::max(last_progress_, paused_since_) + patience();
  }
  if (pause_ == Pause::room && context_.unfinished_bytes > 0) {
    return paused_since_ + context_.settings.silence_max;
  }
  return Time::max();
}

std::string Session::pause_reason() const {
  if (pause_ == Pause::unread) {
    return "the client does not read: " + std::to_string(context_.replies_size()) +
           " bytes that it asked for wait to be sent, and nothing has left for " +
           std::to_string(patience().count() / 1000) + " s";
  }
  return "too many messages have begun and are not finished: " +
         std::to_string(context_.unfinished_bytes) + " bytes are set aside for them, and " +
         std::to_string(wanted_room_) + " more were asked for";
}

void Session::check_unfinished(Time now) {
  const auto silence_max = context_.settings.silence_max;
  unfinished_check_ = Time::max();
  for (const auto& [number, channel] : channels_) {
    const auto last = channel->unfinished_since();
    if (!last) continue;
    const Time due = std::max(*last, went_on_) + silence_max;
    if (is_receiving() && due <= now) {
      return finish("a message on channel " + std::to_string(number) +
                    " was begun, and nothing more of it has come for " +
                    std::to_string(silence_max.count()) + " s");
    }
    unfinished_check_ = std::min(unfinished_check_, std::max(due, now + std::chrono::seconds(1)));
  }
}

}  // namespace haypile::session
