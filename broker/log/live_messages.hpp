// What the records of a log leave: which queues have which messages, and what is known of each.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/journal.hpp"
#include "log/format.hpp"
#include "log/piles.hpp"
#include "log/record.hpp"

namespace haypile::log {

// Follows the records of a log and remembers which queued messages are left at its end.
class LiveMessages {
 public:
  // `piles` already has what the records before `position` say, since it comes from the checkpoint.
  // Messages before `moved` are in piles or gone. `piles` must outlive the object, which keeps it
  // up to date.
  LiveMessages(Piles& piles, LogPosition position, LogPosition moved)
      : piles_(piles), position_(position), moved_(moved) {}

  // Records must come in the order of the log. `position` is the position of the record, or of its
  // first fragment.
  void apply(LogPosition position, const Record& record);

  // The next record is in another segment. If a group continues there, it begins with a mark again.
  // So what a segment says does not depend on the segments before it, which may be given up at any
  // time.
  void begin_segment() { in_group_ = false; }
  // Records are missing here. The messages that an open group has published stay, and its
  // acknowledgements do not count.
  void break_group();

  // The state of a queued message after all records; nothing if it has left its queue. Fast if
  // calls come in the order of the log.
  std::optional<engine::RecoveredRef> find(LogPosition message, engine::QueueId queue);
  // Whether the last record is a clean stop; true if there was no record.
  bool clean() const { return clean_; }

 private:
  // A queued message: one message in one queue.
  struct Queued {
    LogPosition message = 0;
    engine::QueueId queue = 0;
    std::uint32_t delivery_count = 0;
    bool gone = false;
    bool delivered = false;
  };
  // A message comes to a queue or leaves it, or messages leave a pile.
  struct Change {
    enum class Kind { add, remove, drop } kind;
    LogPosition message;  // or the number of the pile
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
  std::vector<Queued> queued_;  // by rising message and queue; also those that are gone
  std::size_t next_ = 0;        // where the next look-up will probably succeed
  bool in_group_ = false;
  std::vector<Change> group_;  // of the open group; in effect at its end
  bool clean_ = true;
};

}  // namespace haypile::log
