// A virtual host: its engine, the log behind it, and the rules by which the two are run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "log/log.hpp"
#include "vhost/clock.hpp"
#include "vhost/participant.hpp"
#include "vhost/pressure.hpp"
#include "vhost/turns.hpp"

namespace haypile::vhost {

struct VhostLimits {
  PressureLimits pressure{};
  // Persistent messages that wait in durable queues leave memory when they take more than that.
  std::size_t queue_memory_bytes = 8u << 20;
};

// Who may publish, who is read when, what is due, when the log is flushed. Reads no clock and opens
// no file by itself, and has no threads but those that its log was made with: the server runs it,
// and so do the simulation, the benchmarks and the tests.
//
// Whoever runs it calls turn() after each round of input, again when wants_turn(), and when
// next_deadline() has come; and log_advanced() when the log is durable further. All calls come from
// one thread.
class Vhost {
 public:
  // `property_codec` outlives it. Without a log nothing is kept. `hash_seed` as the engine wants
  // it.
  Vhost(std::string name, const engine::PropertyCodec& property_codec,
        std::unique_ptr<log::Log> log, const VhostLimits& limits, std::uint64_t hash_seed = 0);

  // Before anything else: recovers what the log has. Throws what Log::recover() throws.
  log::RecoveryReport start(const ClockReading& now);
  // The same, with `recovery` between the log and the engine (engine/restore.hpp).
  log::RecoveryReport start(const ClockReading& now, engine::Recovery& recovery);

  engine::Engine& engine() { return engine_; }
  // Null if there is none.
  log::Log* log() { return log_.get(); }
  const log::Log* log() const { return log_.get(); }
  Turns& turns() { return turns_; }
  const Turns& turns() const { return turns_; }

  // The engine learns what time it is; before anything that may depend on it. Cheap.
  void set_now(TimeMs boot) { engine_.set_now(clock_.time(boot)); }

  // What was left over goes on, the log gets what was appended and stays within its bounds, and
  // those who need not wait any longer go on.
  void turn(const ClockReading& now);
  // There is more to do: the next turn should come as soon as others have had theirs.
  bool wants_turn();
  // When a turn is due at the latest, on the boot clock; no_deadline if nothing is waited for.
  TimeMs next_deadline() const;

  // Whether those who publish or declare have to wait now.
  bool publishers_must_wait();
  // How many bytes could be appended before the log had to use its reserve; 0 if it does.
  std::uint64_t disk_room() const;
  // Waits until they need not: Participant::try_to_resume() will be called.
  void pause(ParticipantPtr participant) { paused_.push_back(std::move(participant)); }
  bool has_paused() const { return !paused_.empty(); }
  // Something else has changed for the better: in the next turn all that are paused try to go on.
  void try_paused() { tries_paused_ = true; }
  // To be called now and then while somebody is paused, for nothing is read from such connections.
  void check_paused_peers();
  const Alarms& alarms() const { return pressure_.alarms(); }
  // What clients are told; empty if there is no alarm.
  std::string_view alarm_text() const { return pressure_.alarm_text(); }

  // Is called once when the log is durable further: Participant::log_advanced().
  void await_log(ParticipantPtr participant) { awaiting_log_.push_back(std::move(participant)); }
  void log_advanced(TimeMs boot);

  // What it holds in memory, all in all.
  std::size_t memory_bytes() const {
    const std::size_t log_bytes = log_ ? log_->memory_bytes() : 0;
    return engine_.memory_bytes() + engine_.definition_bytes() + log_bytes;
  }
  // What others hold that counts against the same limit.
  void set_memory_elsewhere(std::size_t bytes) { memory_elsewhere_bytes_ = bytes; }

  // Nothing can be relied upon any more, such as after a want of memory in the middle of something.
  // What was appended since the last turn is never written, and nobody hears that it is durable.
  void abandon();
  // Lets go of all that wait for something.
  void forget_participants();
  // At a clean stop, when no session uses it any more; nothing may be called afterwards. False: the
  // log could not be written.
  bool close_clean();

 private:
  bool is_due() const { return engine_.next_deadline() <= engine_.now(); }
  bool may_go_on();
  void resume_paused();
  void flush();
  void mark_if_idle();
  void update_pressure();
  void look_at_disk();
  std::uint64_t free_disk_bytes() const;

  std::unique_ptr<log::Log> log_;
  engine::NullJournal null_journal_;
  engine::Engine engine_;
  Clock clock_;
  Pressure pressure_;
  Turns turns_;
  std::size_t memory_elsewhere_bytes_ = 0;
  std::deque<ParticipantPtr> paused_;
  bool tries_paused_ = false;
  bool is_abandoned_ = false;
  bool was_alarm_ = false;  // at the end of the last turn
  std::vector<ParticipantPtr> awaiting_log_;
  std::vector<ParticipantPtr> at_hand_;     // those of awaiting_log_ that are being told
  TimeMs mark_due_at_ = 0;                  // engine time
  engine::LogPosition marked_end_ = 0;      // the log's end when that was said
  TimeMs disk_looked_at_ = 0;               // engine time
  std::uint64_t disk_looked_at_bytes_ = 0;  // appended to the log by then
};

}  // namespace haypile::vhost
