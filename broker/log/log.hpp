// The write-ahead log of a vhost: a Journal on disk. The format is in docs/log-format.md.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/canary.hpp"
#include "engine/journal.hpp"
#include "log/catalog.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"
#include "log/maintenance.hpp"
#include "log/newest.hpp"
#include "log/queue_backlog.hpp"
#include "log/replay.hpp"
#include "log/writer.hpp"

namespace haypile::log {

struct LogOptions {
  // Of a new log; an old one keeps its own.
  std::uint32_t segment_size = 8u << 20;
  // All segments together. What would make it more has to be moved (Journal::move_boundary()); at
  // least four segments.
  std::uint64_t ring_size = 64u << 20;
  // Kept free on disk for what has to be written even when it is full: the messages of the log, as
  // piles. 0: as much as the log may take, a quarter, and 8 MiB.
  std::uint64_t reserve_size = 0;
  // More to write than this is more than the disk can take soon.
  std::uint64_t pending_max_bytes = 16u << 20;
  // What a move puts together for its pile at once, beyond what one message takes.
  std::size_t portion_size = 1u << 20;
  // Whether threads of its own write and maintain the log; if not, step() does.
  bool threaded = true;
  // durable() has risen, or room was made. Called by whoever did it.
  std::function<void()> on_durable{};
  // A file could not be written, synced or read, which is final: durable() never rises again.
  // Called once, by whoever met with it; the text is one line.
  std::function<void(const std::string&)> on_failure{};
};

// Appends go to a batch in memory, flush() hands it over, the writer's thread writes what has piled
// up and syncs once; the maintenance thread does what can take longer. All calls but durable()
// belong to one thread, the engine's.
class Log final : public engine::Journal, private QueueBacklog::Owner {
 public:
  // `files` outlives the log; `directory` exists.
  Log(FileSystem& files, std::string directory, const DirectoryId& id, LogOptions options);
  // Finishes what was handed over and no more: the next start finds the log not closed.
  ~Log() override;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Before anything else: hands to `recovery` what the directory holds, and goes on behind it.
  // Returns when that is durable. Throws IoError, as replay() does. `on_clock` is called before
  // `recovery` is.
  using OnClock = std::function<void(const engine::RecoveredClock&)>;
  RecoveryReport recover(engine::Recovery& recovery, const OnClock& on_clock = {});

  // Hands over what was appended, and gives back segments that are not needed. Does nothing while a
  // group is open.
  void flush();
  // Nothing is waiting to be handed over, and nothing that is written will say of the last that was
  // appended that it is durable: damage in it would pass for a torn tail.
  bool needs_mark() const {
    return group_ == Group::none && batch_empty() && stated_ < content_end_;
  }
  // Has it written down, if it is durable by now: to be called when nothing was appended for a
  // while.
  void mark_durable();
  // Appended and not yet durable, in bytes.
  std::uint64_t pending_bytes() const { return end() - durable(); }
  // What it holds in memory: what waits to be written, and what is known of the piles.
  std::size_t memory_bytes() const {
    return batch_.size() + unwritten_batch_bytes_.load(std::memory_order_relaxed) +
           unwritten_bytes_ + piles_.extent_count() * bytes_per_extent;
  }
  // The disk is full, and part of the reserve in use.
  bool is_out_of_space() const { return !disk_reserve_->has_reserve(); }
  // Looks whether that is over, as soon as maintenance comes to it.
  void retry_reserve() { hand_over({RefillReserve{}, 0}); }
  std::uint64_t free_disk_bytes() const { return files_.free_bytes(directory_); }
  // Without threads: does what was handed over, as the two threads would.
  void step() {
    step_writer();
    step_maintenance();
  }
  void step_writer() { write_batches(); }
  void step_maintenance();
  // Ends the log with the mark of a clean stop. False if it could not be written. Nothing may be
  // called afterwards.
  bool close_clean();

  std::size_t segment_count() const { return segments_.size(); }
  bool keeps_up() const override {
    return pending_bytes() <= options_.pending_max_bytes && !is_overfull() && !is_out_of_space();
  }

  // Copies of messages in queues, in the log and in piles. Goes through all segments and piles.
  std::uint64_t logged_count() const;
  std::uint64_t stored_count() const;
  // What has to hold between two calls, and does not; null if all is well. Goes through all
  // segments and piles.
  const char* broken_invariant() const;

  void declare_exchange(const engine::ExchangeDefinition& exchange) override;
  void delete_exchange(std::string_view name) override;
  void declare_queue(const engine::QueueDefinition& queue) override;
  void delete_queue(engine::QueueId queue) override;
  void bind(const engine::BindingDefinition& binding) override;
  void unbind(const engine::BindingDefinition& binding) override;
  void release_binding(const engine::BindingDefinition& binding) override;
  LogPosition publish(const engine::MessageView& message,
                      std::span<const engine::QueueId> queues) override;
  void ack(const engine::QueuedRef& copy) override;
  void release(const engine::QueuedRef& copy) override;
  void mark_delivered(const engine::QueuedRef& copy) override;
  void set_delivery_count(const engine::QueuedRef& copy, std::uint32_t count) override;
  void set_unused_since(engine::QueueId queue, engine::TimeMs time) override;
  void set_clock_offset(std::int64_t offset_ms) override;
  void begin_group() override;
  void end_group() override;
  LogPosition move_boundary(bool is_memory_short) const override;
  void begin_move(LogPosition boundary) override;
  bool takes_more() const override;
  engine::StoredId store(const engine::MessageToStore& copy) override;
  void end_portion() override;
  void end_move() override;
  engine::Backlog& backlog(engine::QueueId queue, std::uint8_t priority) override {
    return backlog_of(queue, priority);
  }
  bool read(engine::StoredId id, const engine::Backlog::Take& take) override;
  LogPosition end() const override { return batch_empty() ? end_ : next_position(); }
  // From any thread. Never a position within a group.
  LogPosition durable() const override { return writer_->durable(); }

 private:
  // What has been added to an extent since the last portion ended.
  struct UnstoredPart {
    std::size_t extent = 0;
    std::uint32_t first = 0;      // index
    QueueBacklog::Part unread{};  // those that leave memory
  };

  // What there is of the group that is open.
  enum class Group {
    none,
    empty,
    one_ack,  // without a mark before it, which it does not need if nothing follows
    begun,    // its mark is written
  };
  struct FirstAck {
    engine::QueueId queue = 0;
    LogPosition message = 0;
    std::size_t offset = 0;  // in the batch
  };

  RecoveryReport start(engine::Recovery& recovery, const OnClock& on_clock);
  void complete_files(const LogState& state);
  bool batch_empty() const { return batch_.size() == batch_header_size; }
  LogPosition next_position() const { return base_ + offset_ + batch_.size(); }
  SegmentUse& segment_of(LogPosition message) {
    return segments_[message / segment_size_ - first_segment_];
  }
  void mark_group();
  void make_room(std::size_t size);
  bool has_room(std::size_t size) const;
  void seal();
  void append_split(const std::string& record);
  void append(const std::string& record);
  void hand_over();
  void start_batch();
  void next_segment();
  void release_in_segment(LogPosition message) {
    if (HAYPILE_CANARY(live_segment_recycled) && message < first_segment_ * segment_size_) return;
    release_in_segment(segment_of(message), 1);
  }
  void release_in_segment(SegmentUse& segment, std::uint64_t count) {
    segment.live_count -= count;
    if (segment.live_count == 0) pile_bytes_ -= std::exchange(segment.pile_bytes, 0);
  }
  std::uint64_t reserve_size() const {
    constexpr std::uint64_t more = 8u << 20;  // what comes before publishers are kept out
    return options_.reserve_size != 0 ? options_.reserve_size : options_.ring_size / 4 * 5 + more;
  }
  // More has been appended than the ring has room for, until what stays has been moved.
  bool is_overfull() const {
    return segments_.size() > ring_segments() || pile_bytes_ + young_bytes() > reserve_size();
  }
  std::size_t ring_segments() const {
    return std::max<std::size_t>(4, static_cast<std::size_t>(options_.ring_size / segment_size_));
  }
  void recycle();
  bool may_write_checkpoint();
  Catalog& changed_catalog() {
    definitions_.reset();
    return catalog_;
  }
  // log_move.cpp
  void restore(LogState& state, engine::Recovery& recovery);
  QueueBacklog& backlog_of(engine::QueueId queue, std::uint8_t priority);
  void drop_unread(Piles::Slot slot, std::uint32_t first, std::uint32_t end,
                   std::optional<std::uint64_t> body_bytes) override;
  void drop_stored(Piles::Slot slot, std::uint32_t first, std::uint32_t end, std::size_t size,
                   std::optional<std::uint64_t> body_bytes);
  void ack_unread(const Pile& pile, std::uint32_t first, std::uint32_t end);
  LogPosition position_of(const engine::QueuedRef& copy);
  void ack_stored(const engine::QueuedRef& copy);
  void note_stored(const engine::QueuedRef& copy, std::uint32_t count);
  void mark_stored(const engine::QueuedRef& copy);
  void mark_moved();
  void forget_queue(engine::QueueId queue);
  void drop(Piles::Slot slot, std::uint32_t first, std::uint32_t end, std::size_t size,
            std::optional<std::uint64_t> body_bytes);
  void store_part(bool is_last);
  void release_parts();
  void leave_segments();
  void forget_pile(Piles::Slot slot);
  // Of whole piles, what is not in their files.
  // With its part of a backlog, and room that containers have ready: about.
  static constexpr std::size_t bytes_per_extent = 256;
  std::uint64_t young_bytes() const { return builder_ ? 0 : unwritten_bytes_; }
  // log_thin.cpp
  void thin_piles();
  std::optional<Piles::Slot> pile_to_thin();
  void install(const Thinning& thinning);
  // log_threads.cpp
  void hand_over(MaintenanceTask task);
  void start_threads();
  void stop_threads();
  void run(void (Log::*thread)());
  void run_writer();
  void run_maintenance();
  void write_batches();
  void return_buffers();
  bool has_due_task() const {
    return !tasks_.empty() &&
           (tasks_.front().after <= durable() || HAYPILE_CANARY(checkpoint_ahead_of_log));
  }
  void perform_task(std::unique_lock<std::mutex>& lock);
  void make_spare();
  // Of the error that is being handled.
  void fail(const IoError& error) override;

  const LogOptions options_;
  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  std::uint64_t segment_size_ = 0;
  std::uint32_t epoch_ = 0;
  Catalog catalog_;
  std::shared_ptr<const std::string> definitions_;  // the catalog, encoded; null if it has changed
  std::uint64_t first_segment_ = 1;
  std::deque<SegmentUse> segments_;
  std::uint64_t pile_bytes_ = 0;   // of all of them
  std::uint64_t base_ = 0;         // position where the last segment begins
  std::uint64_t offset_ = 0;       // of the batch in it
  std::string batch_;              // with room for its header
  engine::TimeMs batch_time_ = 0;  // what times in the batch count from; 0: nothing yet
  LogPosition end_ = 0;            // of what was handed over
  LogPosition stated_ = 0;         // the last batch that was handed over says that is durable
  LogPosition content_end_ = 0;    // as `end_`, but for marks that only say so
  Group group_ = Group::none;
  LogPosition group_start_ = 0;  // of the open one
  FirstAck first_ack_;
  bool anything_new_ = false;  // handed over since the last flush()

  Newest newest_;
  LogPosition moved_ = 0;  // messages before are in the piles, or gone
  Piles piles_;
  PileReader pile_reader_;
  std::map<std::pair<engine::QueueId, std::uint8_t>, std::unique_ptr<QueueBacklog>> backlogs_;
  std::optional<PileBuilder> builder_;  // while moving, over several turns
  LogPosition boundary_ = 0;            // of the move
  Piles::Slot open_pile_ = 0;
  std::vector<UnstoredPart> portion_;
  std::size_t part_size_ = 0;            // of the part that was handed over last
  std::deque<Piles::Slot> young_piles_;  // whole, but no checkpoint on disk names them
  std::uint64_t unwritten_bytes_ = 0;    // of all piles
  bool is_checkpoint_due_ = false;
  bool is_closing_ = false;
  std::exception_ptr recovery_error_;
  std::vector<Piles::Slot> empty_piles_;  // to be removed with the next checkpoint
  std::uint64_t checkpoint_count_ = 0;    // handed over
  std::shared_ptr<Thinning> thinning_;    // the maintenance thread has it
  std::uint64_t thinning_count_ = 0;      // handed over
  std::vector<LogPosition> old_files_;    // of piles that have new ones: until the next checkpoint
  // Since it was last looked for piles to thin.
  std::uint64_t dropped_bytes_ = 0;
  std::uint64_t looked_at_ = 0;  // the number of checkpoints then
  std::unique_ptr<DiskReserve> disk_reserve_;
  std::unique_ptr<Maintenance> maintenance_;
  std::unique_ptr<Writer> writer_;

  std::atomic<std::uint64_t> unwritten_batch_bytes_{0};  // handed over

  std::mutex mutex_;  // for what follows, down to failed_
  std::condition_variable writer_wake_;
  std::condition_variable maintenance_wake_;
  std::vector<WriteBatch> batches_;
  std::deque<MaintenanceTask> tasks_;
  std::vector<std::string> buffers_;  // to be used again
  bool writer_stops_ = false;
  bool maintenance_stops_ = false;
  bool failed_ = false;
  std::vector<WriteBatch> current_batches_;  // the writer's
  std::thread writer_thread_;
  std::thread maintenance_thread_;
};

}  // namespace haypile::log
