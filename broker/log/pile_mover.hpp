// Moves messages from segments to a new pile, over as many turns as it takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "engine/backlog.hpp"
#include "log/appender.hpp"
#include "log/log_worker.hpp"
#include "log/pile.hpp"
#include "log/pile_store.hpp"
#include "log/segments.hpp"

namespace haypile::log {

// Carries out a move: begin(), then store() and end_portion() in each turn, then end(). Until end()
// the pile is open, and until a checkpoint on disk names it, it is young. Each portion is handed to
// the worker, which writes it to the pile's file. Segments are kept until the move has ended,
// because a crash in the middle leaves no pile.
//
// Belongs to the engine's thread.
class PileMover {
 public:
  // All parameters must outlive the mover. A portion has about `portion_size` bytes, or one
  // message.
  PileMover(PileStore& store, Appender& appender, Segments& segments, LogWorker& worker,
            CheckpointSchedule& checkpoints, const DirectoryId& id, std::size_t portion_size)
      : store_(store),
        appender_(appender),
        segments_(segments),
        worker_(worker),
        checkpoints_(checkpoints),
        id_(id),
        portion_size_(portion_size) {}

  // Messages before this position are in piles or gone.
  LogPosition moved() const { return moved_; }
  void set_moved(LogPosition moved) { moved_ = moved; }

  bool is_moving() const { return builder_.has_value(); }
  // Whether a move may begin. Piles stay in memory until a checkpoint names them, so that too many
  // young ones would fill the memory instead of freeing it.
  bool may_begin() const;
  void begin(LogPosition boundary);
  // Whether this turn may store more: the portion is small, and earlier ones are being written.
  bool takes_more() const;
  engine::StoredId store(const engine::MessageToStore& message);
  void end_portion();
  void end();

  // Frees what is in the piles' files by now. A pile that a checkpoint on disk names is not young.
  void release_written();
  // Logs which messages of an unfinished move had been delivered, since the move leaves no pile.
  // For a clean stop. Throws IoError.
  void log_delivered();
  // Bytes of young piles that are not in their files yet; 0 during a move.
  std::uint64_t young_bytes() const { return is_moving() ? 0 : store_.unwritten_bytes(); }

 private:
  // What was added to an extent since the last portion ended.
  struct NewMessages {
    std::size_t extent = 0;       // its number in the pile
    std::uint32_t first = 0;      // index
    QueueBacklog::Part unread{};  // the messages that leave memory
  };

  void write_part(bool is_last);

  PileStore& store_;
  Appender& appender_;
  Segments& segments_;
  LogWorker& worker_;
  CheckpointSchedule& checkpoints_;
  const DirectoryId id_;
  const std::size_t portion_size_;
  LogPosition moved_ = 0;
  std::optional<PileBuilder> builder_;  // during a move
  LogPosition boundary_ = 0;            // of the move
  Piles::Slot open_pile_ = 0;
  std::vector<NewMessages> portion_;
  std::size_t part_size_ = 0;      // of the last part that was handed over
  std::deque<Piles::Slot> young_;  // ended, but named by no checkpoint on disk
};

}  // namespace haypile::log
