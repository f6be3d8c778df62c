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

// A move: begin(), then store() and end_portion() in each turn, then end(). The pile is open until
// then, and young until a checkpoint on disk names it. Each portion is handed to the worker, which
// writes it to the pile's file. Segments are kept until the move has ended, because a crash in the
// middle leaves no pile.
//
// Belongs to the engine's thread.
class PileMover {
 public:
  // All outlive the mover. A portion takes about `portion_size` bytes, or one message.
  PileMover(PileStore& store, Appender& appender, Segments& segments, LogWorker& worker,
            CheckpointSchedule& checkpoints, const DirectoryId& id, std::size_t portion_size)
      : store_(store),
        appender_(appender),
        segments_(segments),
        worker_(worker),
        checkpoints_(checkpoints),
        id_(id),
        portion_size_(portion_size) {}

  // Messages before that position are in piles, or gone.
  LogPosition moved() const { return moved_; }
  void set_moved(LogPosition moved) { moved_ = moved; }

  bool is_moving() const { return builder_.has_value(); }
  // Whether a move may begin. Piles stay in memory until a checkpoint has them, so that too many
  // young ones would defeat the purpose.
  bool may_begin() const;
  void begin(LogPosition boundary);
  // Whether this turn may store more: the portion is small, and earlier ones are being written.
  bool takes_more() const;
  engine::StoredId store(const engine::MessageToStore& message);
  void end_portion();
  void end();

  // What has been written, and what a checkpoint on disk names, is read from disk from now on.
  void release_written();
  // At a clean stop, of a move that has not ended: it leaves no pile, so that the log has to say
  // itself which of its messages had been delivered. Throws IoError.
  void log_delivered();
  // Bytes of young piles that are not in their files yet; 0 while a move is under way.
  std::uint64_t young_bytes() const { return is_moving() ? 0 : store_.unwritten_bytes(); }

 private:
  // What was added to an extent since the last portion ended.
  struct NewMessages {
    std::size_t extent = 0;       // its number in the pile
    std::uint32_t first = 0;      // index
    QueueBacklog::Part unread{};  // those that leave memory
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
  std::optional<PileBuilder> builder_;  // while a move is under way
  LogPosition boundary_ = 0;            // of the move
  Piles::Slot open_pile_ = 0;
  std::vector<NewMessages> portion_;
  std::size_t part_size_ = 0;      // of the part that was handed over last
  std::deque<Piles::Slot> young_;  // piles that have ended, and that no checkpoint on disk names
};

}  // namespace haypile::log
