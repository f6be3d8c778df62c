// What the records of a log leave: which queues hold which messages, and what is known of each.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/journal.hpp"
#include "log/format.hpp"
#include "log/piles.hpp"
#include "log/record.hpp"

namespace haypile::log {

class LiveMessages {
 public:
  // What a checkpoint says of the records before `position` is in `piles` already; messages before
  // `moved` are in piles, or gone. `piles` outlives the copies, and is kept up to date.
  LiveMessages(Piles& piles, LogPosition position, LogPosition moved)
      : piles_(piles), position_(position), moved_(moved) {}

  // Records come in the order of the log. `position` is that of the record, of its first fragment
  // if it came in several.
  void apply(LogPosition position, const Record& record);

  // The next record is in another segment. A group that goes on there begins with a mark again; so
  // what a segment says does not depend on those before it, which may be given up any time.
  void begin_segment() { in_group_ = false; }
  // Something of the log is missing here. Of an open group its messages stay, whatever became of
  // it; what it acknowledged comes back.
  void break_group();

  // How the message at `message` is in `queue`, after all records; nothing if it is not. Fast when
  // asked in the order of the log.
  std::optional<engine::RecoveredRef> find(LogPosition message, engine::QueueId queue);
  // The last record is that of a clean stop; true if there was none at all.
  bool clean() const { return clean_; }

 private:
  // One message in one queue.
  struct Queued {
    LogPosition message = 0;
    engine::QueueId queue = 0;
    std::uint32_t delivery_count = 0;
    bool gone = false;
    bool delivered = false;
  };
  // A message comes to a queue or leaves it; or messages leave a pile.
  struct Change {
    enum class Kind { add, remove, drop } kind;
    LogPosition message;  // or the pile
    engine::QueueId queue = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::optional<std::uint64_t> body_bytes{};
  };
  void apply_publish(LogPosition position, const PublishRecord& record);
  void apply_message(const MessageRecord& record);
  void apply_stored(const StoredRecord& record);
  void apply_mark(LogPosition position, const MarkRecord& record, bool was_clean);
  void change(const Change& change);
  void perform(const Change& change);
  Queued* look_up(LogPosition message, engine::QueueId queue);

  Piles& piles_;
  const LogPosition position_;
  const LogPosition moved_;
  std::vector<Queued> queued_;  // by rising message and queue; those that are gone, too
  std::size_t next_ = 0;        // where the next look-up will probably find what it wants
  bool in_group_ = false;
  std::vector<Change> group_;  // of the open group: in effect once it has ended
  bool clean_ = true;
};

}  // namespace haypile::log
