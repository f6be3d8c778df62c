// The write-ahead log of a vhost: a Journal on disk. The format is in docs/log-format.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include "engine/journal.hpp"
#include "log/appender.hpp"
#include "log/catalog.hpp"
#include "log/checkpointer.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"
#include "log/log_worker.hpp"
#include "log/newest.hpp"
#include "log/pile_mover.hpp"
#include "log/pile_store.hpp"
#include "log/pile_thinner.hpp"
#include "log/replay.hpp"
#include "log/segments.hpp"

namespace haypile::log {

// The settings of a log.
struct LogOptions {
  // The size of the segments of a new log, in bytes. An existing log keeps its own.
  std::uint32_t segment_size = 8u << 20;
  // The size of all segments together, in bytes; at least four segments. Older messages have to
  // move when there is not enough room (Journal::move_boundary()).
  std::uint64_t ring_size = 64u << 20;
  // Bytes of the disk that are kept free for what must be written even when the disk is full: the
  // messages of the ring, as piles. 0: 1.25 times ring_size, and 8 MiB.
  std::uint64_t reserve_size = 0;
  // While more bytes than this wait to be written, the disk does not keep up.
  std::uint64_t pending_max_bytes = 16u << 20;
  // A move puts together about this many bytes at once for its pile, or one message.
  std::size_t portion_size = 1u << 20;
  // Whether threads of its own write and maintain the log; if not, step() does.
  bool threaded = true;
  // Called when durable() has risen or room was made, by the thread that did it.
  std::function<void()> on_durable{};
  // Called once when a file could not be written, synced or read, by the thread that noticed it.
  // This is final: durable() never rises again. The text is one line.
  std::function<void(const std::string&)> on_failure{};
};

// The journal of a virtual host on disk. Appends go to a batch in memory. flush() hands it over;
// the writer's thread writes all batches that it has been given, and syncs once. The maintenance
// thread does work that may take longer. All calls except durable() must come from one thread, the
// engine's.
//
// The parts: Appender (records, batches, groups), Segments (what queues hold of each), PileStore,
// PileMover and PileThinner (messages that stay long), Checkpointer, and LogWorker (the threads).
class Log final : public engine::Journal {
 public:
  // `files` must outlive the log; `directory` must exist.
  Log(FileSystem& files, std::string directory, const DirectoryId& id, LogOptions options);
  // Only finishes what was handed over. The next start finds that the log was not closed.
  ~Log() override = default;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Must be called before anything else. Hands what the directory has to `recovery`, and continues
  // the log behind it. Returns when that is durable. Throws IoError as replay() does. `on_clock` is
  // called before `recovery` is used.
  using OnClock = std::function<void(const engine::RecoveredClock&)>;
  RecoveryReport recover(engine::Recovery& recovery, const OnClock& on_clock = {});

  // Hands over what was appended, and gives up segments and piles that are not needed. Does nothing
  // while a group is open.
  void flush();
  // Whether nothing waits to be handed over, and no batch says yet that the last record is durable.
  // Damage in that record would look like a torn tail.
  bool needs_mark() const { return appender_.needs_mark(); }
  // Appends a batch that says so, if everything is durable. Call this when nothing was appended for
  // a while.
  void mark_durable() { appender_.mark_durable(); }
  // Bytes that were appended and are not durable yet.
  std::uint64_t pending_bytes() const { return end() - durable(); }
  // Memory in bytes: of what waits to be written, and of what is known of the piles.
  std::size_t memory_bytes() const {
    return appender_.batch_size() + worker_.unwritten_bytes() + piles_.memory_bytes();
  }
  // Whether the disk is full and part of the reserve is in use.
  bool is_out_of_space() const { return !worker_.reserve().has_reserve(); }
  // Lets the maintenance thread check soon whether there is space again.
  void retry_reserve() { worker_.perform({RefillReserve{}, 0}); }
  std::uint64_t free_disk_bytes() const { return files_.free_bytes(directory_); }
  // Does what was handed over. Only for a log without threads.
  void step() {
    step_writer();
    step_maintenance();
  }
  void step_writer() { worker_.step_writer(); }
  void step_maintenance() { worker_.step_maintenance(); }
  // Ends the log with the mark of a clean stop. Returns false if that could not be written. Nothing
  // may be called afterwards.
  bool close_clean();

  std::size_t segment_count() const { return segments_.count(); }
  bool keeps_up() const override {
    return pending_bytes() <= options_.pending_max_bytes && !is_overfull() && !is_out_of_space();
  }

  // The numbers of queued messages in segments and in piles. Both calls examine all of them.
  std::uint64_t logged_count() const { return segments_.live_count(); }
  std::uint64_t stored_count() const { return piles_.live_count(); }
  // Names an invariant that does not hold; null if all hold. Examines all segments and piles.
  const char* broken_invariant() const;

  void declare_exchange(const engine::ExchangeDefinition& exchange) override;
  void delete_exchange(std::string_view name) override;
  void declare_queue(const engine::QueueDefinition& queue) override;
  void delete_queue(engine::QueueId queue) override;
  void bind(const engine::BindingDefinition& binding) override;
  void unbind(const engine::BindingDefinition& binding) override;
  void release_binding(const engine::BindingDefinition& binding) override;
  LogPosition publish(const engine::MessageView& message,
                      std::span<const engine::QueueId> queues) override {
    return appender_.publish(message, queues);
  }
  void ack(const engine::QueuedRef& message) override;
  void release(const engine::QueuedRef& message) override;
  void mark_delivered(const engine::QueuedRef& message) override;
  void set_delivery_count(const engine::QueuedRef& message, std::uint32_t count) override;
  void set_unused_since(engine::QueueId queue, engine::TimeMs time) override;
  void set_clock_offset(std::int64_t offset_ms) override;
  void begin_group() override { appender_.begin_group(); }
  void end_group() override { appender_.end_group(); }
  LogPosition move_boundary(bool is_memory_short) const override;
  void begin_move(LogPosition boundary) override { mover_.begin(boundary); }
  bool takes_more() const override { return mover_.takes_more(); }
  engine::StoredId store(const engine::MessageToStore& message) override {
    return mover_.store(message);
  }
  void end_portion() override { mover_.end_portion(); }
  void end_move() override { mover_.end(); }
  engine::Backlog& backlog(engine::QueueId queue, std::uint8_t priority) override {
    return piles_.backlog(queue, priority);
  }
  bool read(engine::StoredId id, const engine::Backlog::Take& take) override {
    return piles_.read(id, take);
  }
  LogPosition end() const override { return appender_.end(); }
  // May be called by any thread. The position is never within a group.
  LogPosition durable() const override { return worker_.durable(); }

 private:
  RecoveryReport start(engine::Recovery& recovery, const OnClock& on_clock);
  void complete_files(const LogState& state);
  std::uint64_t reserve_size() const {
    constexpr std::uint64_t more = 8u << 20;  // for what comes before publishers wait
    return options_.reserve_size != 0 ? options_.reserve_size : options_.ring_size / 4 * 5 + more;
  }
  // Whether more was appended than the ring or the reserve has room for, until messages have moved.
  bool is_overfull() const {
    return segments_.count() > segments_max() ||
           segments_.pile_bytes() + mover_.young_bytes() > reserve_size();
  }
  // The number of segments in the ring.
  std::size_t segments_max() const {
    return std::max<std::size_t>(
        4, static_cast<std::size_t>(options_.ring_size / segments_.segment_size()));
  }

  const LogOptions options_;
  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  Newest newest_;
  Catalog catalog_;
  Segments segments_;
  CheckpointSchedule checkpoints_;
  LogWorker worker_;
  Appender appender_;
  PileStore piles_;
  PileMover mover_;
  PileThinner thinner_;
  Checkpointer checkpointer_;
};

}  // namespace haypile::log
