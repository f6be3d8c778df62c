// A virtual host: its engine, its log, and the rules by which the two are run.
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

// The limits of one virtual host.
struct VhostLimits {
  PressureLimits pressure{};
  // Persistent messages that wait in durable queues leave memory when they take more than this.
  std::size_t queue_memory_bytes = 8u << 20;
};

// Runs an engine and its log: who may publish, who is read when, what is due, when the log is
// flushed. It reads no clock, opens no file, and has no threads except those that its log was made
// with. So the server can run it as well as the simulation, the benchmarks and the tests.
//
// Call turn() after each round of input, again when wants_turn() says so, and when next_deadline()
// has come; call log_advanced() when the log is durable further. All calls come from one thread.
class Vhost {
 public:
  // `property_codec` must outlive the virtual host. Without a log nothing is stored. `hash_seed` is
  // for the engine's hash tables.
  Vhost(std::string name, const engine::PropertyCodec& property_codec,
        std::unique_ptr<log::Log> log, const VhostLimits& limits, std::uint64_t hash_seed = 0);

  // Recovers what the log has. Must be the first call. Throws what Log::recover() throws.
  log::RecoveryReport start(const ClockReading& now);
  // Does the same with `recovery` between the log and the engine (engine/restore.hpp).
  log::RecoveryReport start(const ClockReading& now, engine::Recovery& recovery);

  engine::Engine& engine() { return engine_; }
  // Null if there is no log.
  log::Log* log() { return log_.get(); }
  const log::Log* log() const { return log_.get(); }
  Turns& turns() { return turns_; }
  const Turns& turns() const { return turns_; }

  // Tells the engine what time it is. Call this before anything that may depend on it; it is cheap.
  void set_now(TimeMs boot) { engine_.set_now(clock_.time(boot)); }

  // Runs one turn: continues what was left over, resumes those that need not wait any longer,
  // flushes the log and keeps it within its bounds.
  void turn(const ClockReading& now);
  // Whether there is more to do, so that the next turn should come as soon as others have had
  // theirs.
  bool wants_turn();
  // When a turn is due at the latest, on the boot clock; no_deadline if nothing is waited for.
  TimeMs next_deadline() const;

  // Whether publishers and declarers have to wait now.
  bool publishers_must_wait();
  // How many bytes can be appended before the log has to use its reserve; 0 if it uses it.
  std::uint64_t disk_room() const;
  // Keeps the participant until it need not wait: calls Participant::try_to_resume().
  void pause(ParticipantPtr participant) { paused_.push_back(std::move(participant)); }
  bool has_paused() const { return !paused_.empty(); }
  // Something else has changed for the better: all paused participants are tried in the next turn.
  void try_paused() { tries_paused_ = true; }
  // Call this now and then while somebody is paused, because nothing is read from such connections.
  void check_paused_peers();
  const Alarms& alarms() const { return pressure_.alarms(); }
  // The text of the alarm for clients; empty if there is none.
  std::string_view alarm_text() const { return pressure_.alarm_text(); }

  // Calls Participant::log_advanced() once, when the log is durable further.
  void await_log(ParticipantPtr participant) { awaiting_log_.push_back(std::move(participant)); }
  void log_advanced(TimeMs boot);

  // Everything that the virtual host holds in memory, in bytes.
  std::size_t memory_bytes() const {
    const std::size_t log_bytes = log_ ? log_->memory_bytes() : 0;
    return engine_.memory_bytes() + engine_.definition_bytes() + log_bytes;
  }
  // What others hold that counts against the same limit, in bytes.
  void set_memory_elsewhere(std::size_t bytes) { memory_elsewhere_bytes_ = bytes; }

  // Call this when nothing can be relied upon any more, for example when memory ran out in the
  // middle of a change. What was appended since the last turn is never written, and nobody is told
  // that it is durable.
  void abandon();
  // Releases all participants that wait for something.
  void forget_participants();
  // Call this at a clean stop, when no session uses the virtual host any more; it must be the last
  // call. Returns false if the log could not be written.
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
  std::vector<ParticipantPtr> at_hand_;     // awaiting_log_ while its members are told
  TimeMs mark_due_at_ = 0;                  // engine time
  engine::LogPosition marked_end_ = 0;      // the log's end when mark_due_at_ was set
  TimeMs disk_looked_at_ = 0;               // engine time
  std::uint64_t disk_looked_at_bytes_ = 0;  // the log's end at that time
};

}  // namespace haypile::vhost
