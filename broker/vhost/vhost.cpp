#include "vhost/vhost.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/restore.hpp"

namespace haypile::vhost {

namespace {
// A look at the disk is due after this time, or after this many bytes. That is less than the disk
// has to have left.
constexpr TimeMs disk_look_interval_ms = 200;
constexpr std::uint64_t disk_look_bytes = 1u << 20;
// If nothing was appended for this long, the log is marked durable.
constexpr TimeMs idle_before_mark_ms = 500;
// The part of the memory limit that may be held before unacked messages leave memory as well.
constexpr std::size_t held_share = 4;
}  // namespace

Vhost::Vhost(std::string name, const engine::PropertyCodec& property_codec,
             std::unique_ptr<log::Log> log, const VhostLimits& limits, std::uint64_t hash_seed)
    : log_(std::move(log)),
      engine_(std::move(name), log_ ? static_cast<engine::Journal&>(*log_) : null_journal_,
              property_codec, hash_seed),
      pressure_(limits.pressure),
      turns_(engine_) {
  engine_.set_movable_max_bytes(limits.queue_memory_bytes);
  engine_.set_held_max_bytes(limits.pressure.memory_max_bytes / held_share);
}

log::RecoveryReport Vhost::start(const ClockReading& now) {
  engine::Restore restore(engine_);
  return start(now, restore);
}

log::RecoveryReport Vhost::start(const ClockReading& now, engine::Recovery& recovery) {
  std::optional<std::int64_t> known_offset;
  const auto start_clock = [&](const engine::RecoveredClock& found) {
    clock_.start(now, found.offset_ms, found.seen);
    engine_.set_wall_offset(clock_.offset());
    set_now(now.boot);
    known_offset = found.offset_ms;
  };
  log::RecoveryReport report;
  if (log_) report = log_->recover(recovery, start_clock);
  // There was nothing to recover. The clock must not be started earlier: it might show a later time
  // than the recovered engine time, which never goes back.
  if (!known_offset) start_clock({});
  if (!log_) return report;
  if (clock_.offset() != *known_offset) log_->set_clock_offset(clock_.offset());
  return report;
}

// The order matters. Time comes first, because it decides what is due. What the engine has to do by
// itself, and participants that were paused, come before those that only wait for their turn. The
// flush comes after all of them, so that one batch has everything of this turn. The alarms are
// updated last, when it is known what the turn has left in memory and on the disk.
void Vhost::turn(const ClockReading& now) {
  if (is_abandoned_) return;
  if (clock_.follow(now)) {
    engine_.set_wall_offset(clock_.offset());
    if (log_) log_->set_clock_offset(clock_.offset());
  }
  set_now(now.boot);
  turns_.begin(is_due());
  if (is_due()) engine_.advance(engine_.now());
  resume_paused();
  turns_.run();
  if (is_abandoned_) return;
  flush();
  update_pressure();
}

bool Vhost::wants_turn() {
  if (is_abandoned_) return false;
  return turns_.has_waiting() || is_due() || may_go_on();
}

TimeMs Vhost::next_deadline() const {
  TimeMs deadline = engine_.next_deadline();
  if (log_ && log_->needs_mark()) deadline = std::min(deadline, mark_due_at_);
  if (alarms().is_disk_low) deadline = std::min(deadline, disk_looked_at_ + disk_look_interval_ms);
  return deadline == engine::no_deadline ? deadline : clock_.boot_time(deadline);
}

bool Vhost::may_go_on() {
  return has_paused() && (tries_paused_ || !publishers_must_wait());
}

// A participant that has to wait again does so behind those that wait now.
void Vhost::resume_paused() {
  for (std::size_t left = paused_.size(); left > 0 && has_paused(); --left) {
    if (!may_go_on() || engine_.work().is_turn_used_up()) return;
    ParticipantPtr participant = std::move(paused_.front());
    paused_.pop_front();
    engine_.work().begin_share();
    if (!participant->try_to_resume()) paused_.push_back(std::move(participant));
  }
  tries_paused_ = false;
}

void Vhost::check_paused_peers() {
  std::deque<ParticipantPtr> paused;
  paused.swap(paused_);
  for (ParticipantPtr& participant : paused) {
    participant->check_peer();
    if (!participant->has_gone()) paused_.push_back(std::move(participant));
  }
}

void Vhost::log_advanced(TimeMs boot) {
  if (is_abandoned_) return;
  set_now(boot);
  at_hand_.swap(awaiting_log_);
  for (const ParticipantPtr& participant : at_hand_)
    participant->log_advanced();
  at_hand_.clear();
}

void Vhost::flush() {
  if (!log_) return;
  // The writer begins with what was appended before, while old messages are moved, which may take a
  // while.
  log_->flush();
  if (engine_.move_old_messages()) log_->flush();
  mark_if_idle();
}

// If the log says that its last records were durable, damage in them is damage and not a torn tail.
// Later records say so, too, so a mark is needed only when nothing more is appended.
void Vhost::mark_if_idle() {
  const TimeMs now = engine_.now();
  if (log_->needs_mark() && log_->end() == marked_end_ && now >= mark_due_at_) {
    log_->mark_durable();
  } else if (log_->end() == marked_end_) {
    return;
  }
  marked_end_ = log_->end();
  mark_due_at_ = now + idle_before_mark_ms;
}

bool Vhost::publishers_must_wait() {
  pressure_.set_memory(memory_bytes() + memory_elsewhere_bytes_);
  if (log_) pressure_.set_log_behind(!log_->keeps_up());
  return pressure_.holds_publishers();
}

// Participants that are paused now are told when an alarm begins.
void Vhost::update_pressure() {
  if (log_) look_at_disk();
  publishers_must_wait();
  engine_.set_unacked_max(pressure_.unacked_max());
  const bool is_alarm = !alarm_text().empty();
  if (std::exchange(was_alarm_, is_alarm) || !is_alarm) return;
  for (const ParticipantPtr& participant : paused_)
    participant->tell_alarm(alarm_text());
}

void Vhost::look_at_disk() {
  const std::uint64_t appended = log_->end();
  const TimeMs now = engine_.now();
  const bool is_time = now >= disk_looked_at_ + disk_look_interval_ms;
  // Before an alarm, a look is also due when much was written.
  if (!is_time && (alarms().is_disk_low || appended < disk_looked_at_bytes_ + disk_look_bytes)) {
    return;
  }
  disk_looked_at_ = now;
  disk_looked_at_bytes_ = appended;
  const std::uint64_t free_bytes = free_disk_bytes();
  const bool uses_reserve = log_->is_out_of_space();
  pressure_.set_disk(uses_reserve, free_bytes);
  if (uses_reserve && pressure_.has_room_again(free_bytes)) log_->retry_reserve();
}

std::uint64_t Vhost::free_disk_bytes() const {
  try {
    return log_->free_disk_bytes();
  } catch (const log::IoError&) {
    return UINT64_MAX;  // the next write will show the error
  }
}

std::uint64_t Vhost::disk_room() const {
  if (!log_) return UINT64_MAX;
  if (log_->is_out_of_space()) return 0;
  const std::uint64_t free_bytes = free_disk_bytes();
  return free_bytes - std::min(free_bytes, log_->pending_bytes());
}

void Vhost::abandon() {
  is_abandoned_ = true;
  forget_participants();
}

void Vhost::forget_participants() {
  turns_.clear();
  paused_.clear();
  awaiting_log_.clear();
}

bool Vhost::close_clean() {
  if (is_abandoned_) return false;
  if (!log_) return true;
  engine_.mark_delivered();
  return log_->close_clean();
}

}  // namespace haypile::vhost
