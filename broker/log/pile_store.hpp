// The messages of a log that are in piles: which there are, which of them queues still have, and
// how they are read back; docs/log-format.md, "Piles".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal.hpp"
#include "log/appender.hpp"
#include "log/catalog.hpp"
#include "log/log_worker.hpp"
#include "log/piles.hpp"
#include "log/queue_backlog.hpp"

namespace haypile::log {

// Counts the checkpoints of this run, and says whether one is wanted soon.
struct CheckpointSchedule {
  std::uint64_t count = 0;  // handed to the worker
  bool is_due = false;
};

// Keeps track of stored messages, those that have left their segments for piles. A stored message
// is named by its StoredId: the pile's slot and the message's index in the pile. Until a checkpoint
// on disk names the pile, the pile is young: a recovery finds the message in its segment, so that
// changes are logged twice, for the pile and for the message.
//
// Belongs to the engine's thread.
class PileStore final : private QueueBacklog::Owner {
 public:
  // All parameters must outlive the store.
  PileStore(FileSystem& files, const std::string& directory, const DirectoryId& id,
            Appender& appender, LogWorker& worker, const CheckpointSchedule& checkpoints)
      : appender_(appender),
        worker_(worker),
        checkpoints_(checkpoints),
        reader_(files, directory, id) {}

  // Takes over what recovery found, and hands the queues' backlogs to `recovery`.
  void restore(Piles piles, const Catalog& catalog, engine::Recovery& recovery);

  Piles& piles() { return piles_; }
  const Piles& piles() const { return piles_; }
  PileReader& reader() { return reader_; }
  QueueBacklog& backlog(engine::QueueId queue, std::uint8_t priority);
  // Null if nothing was ever stored of that queue and priority.
  QueueBacklog* find_backlog(engine::QueueId queue, std::uint8_t priority);

  // Change a stored message and log the change. See the calls of these names in Journal.
  void ack(const engine::QueuedRef& message);
  void set_delivery_count(const engine::QueuedRef& message, std::uint32_t count);
  void mark_delivered(const engine::QueuedRef& message);
  // Returns false if the message cannot be read; then the log has failed.
  bool read(engine::StoredId id, const engine::Backlog::Take& take);
  // The queue was deleted, which has been logged: it has no messages left in any pile.
  void forget_queue(engine::QueueId queue);

  // Keeps bytes of a pile that are on their way to its file.
  Unwritten::Part add_unwritten(Piles::Slot slot, std::uint64_t offset, std::string bytes);
  // Forgets those that are in the file now.
  void trim_unwritten(Piles::Slot slot);
  std::uint64_t unwritten_bytes() const { return unwritten_bytes_; }

  // No queue has messages of the pile any more: its file can be removed with the next checkpoint.
  void note_empty(Piles::Slot slot) { empty_.push_back(slot); }
  // No pile needs the file any more: it can be removed in the same way.
  void note_unused_file(LogPosition file) { unused_files_.push_back(file); }
  bool has_empty() const { return !empty_.empty(); }
  // The size of the files of empty piles.
  std::uint64_t empty_bytes() const;
  // Forgets empty piles. Returns the files that are not needed after the next checkpoint.
  std::vector<LogPosition> take_unused_files();
  void forget(Piles::Slot slot);

  // About how many bytes of pile files have become unused since the last reset.
  std::uint64_t dropped_bytes() const { return dropped_bytes_; }
  void reset_dropped_bytes() { dropped_bytes_ = 0; }
  // Memory in bytes: of what is known of the piles, and of what is not in their files yet.
  std::size_t memory_bytes() const {
    return static_cast<std::size_t>(unwritten_bytes_) + piles_.extent_count() * bytes_per_extent;
  }

  std::uint64_t live_count() const;
  // Names an invariant that does not hold; null if all hold. Examines all piles.
  const char* broken_invariant() const;

 private:
  // About how much memory an extent takes, with its part of a backlog and the spare room of
  // containers.
  static constexpr std::size_t bytes_per_extent = 256;

  void drop_unread(Piles::Slot slot, std::uint32_t first, std::uint32_t end,
                   std::optional<std::uint64_t> body_bytes) override;
  void fail(const IoError& error) override { worker_.fail(error); }

  void drop_logged(Piles::Slot slot, std::uint32_t first, std::uint32_t end, std::size_t size,
                   std::optional<std::uint64_t> body_bytes);
  void drop(Piles::Slot slot, std::uint32_t first, std::uint32_t end, std::size_t size,
            std::optional<std::uint64_t> body_bytes);
  void ack_unread(const Pile& pile, std::uint32_t first, std::uint32_t end);
  LogPosition position_of(const engine::QueuedRef& message);

  Appender& appender_;
  LogWorker& worker_;
  const CheckpointSchedule& checkpoints_;
  Piles piles_;
  PileReader reader_;
  std::map<std::pair<engine::QueueId, std::uint8_t>, std::unique_ptr<QueueBacklog>> backlogs_;
  std::uint64_t unwritten_bytes_ = 0;  // of all piles
  std::vector<Piles::Slot> empty_;
  std::vector<LogPosition> unused_files_;
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace haypile::log
