// Puts records together in batches, and knows where in the log each of them will be;
// docs/log-format.md, "Segments", "Batches" and "Groups".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/definitions.hpp"
#include "log/format.hpp"
#include "log/log_worker.hpp"
#include "log/record.hpp"
#include "log/segments.hpp"

namespace haypile::log {

// Appends records to the open batch. flush() and a full segment hand the batch over to the worker,
// and the next one begins behind it. Each segment ends with a record that seals it.
//
// A group begins with a mark and ends with one; a recovery takes it as a whole or not at all. The
// marks are written only when they are needed: not for an empty group, and not for one that has
// only one acknowledgement.
//
// Belongs to the engine's thread.
class Appender {
 public:
  // All parameters must outlive the appender.
  Appender(LogWorker& worker, Segments& segments, const DirectoryId& id)
      : worker_(worker), segments_(segments), id_(id) {}

  // Continues at `offset` of the last segment. All batches of this run have `epoch`.
  void start(std::uint32_t epoch, std::uint64_t offset);

  // Makes room for records of that size together, so that those that follow are in one batch: this
  // may end the batch. Begins the group's records if a group is open.
  void make_room(std::size_t size);
  // Each function appends one record, after it has made room for it.
  // Returns the position of the record.
  LogPosition append_mark(RecordType type) {
    make_room(1);
    const LogPosition position = next_position();
    log::append_mark(batch_, type);
    return position;
  }
  // The record of that type about a queue and a message.
  void append_message_record(RecordType type, engine::QueueId queue, LogPosition message) {
    make_room(message_record_size_max);
    log::append_message_record(batch_, type, queue, message, next_position());
  }
  void append_delivery_count(engine::QueueId queue, LogPosition message, std::uint32_t count) {
    make_room(delivery_count_size_max);
    log::append_delivery_count(batch_, queue, message, count, next_position());
  }
  void append_note_stored(LogPosition pile, std::uint32_t index, std::uint32_t count) {
    make_room(stored_size_max);
    log::append_note_stored(batch_, pile, index, count, next_position());
  }
  void append_drop_stored(LogPosition pile, std::uint32_t first, std::uint32_t count,
                          std::optional<std::uint64_t> body_bytes) {
    make_room(stored_size_max);
    log::append_drop_stored(batch_, pile, first, count, body_bytes, next_position());
  }
  // Appends a record of any size. If no segment has room for it, it is written in fragments.
  void append(const std::string& record);

  // Appends a message and returns the position that names it. `queues` is never empty.
  LogPosition publish(const engine::MessageView& message, std::span<const engine::QueueId> queues);
  void ack(engine::QueueId queue, LogPosition message) {
    if (group_ == Group::empty) return begin_with_ack(queue, message);
    append_message_record(RecordType::ack, queue, message);
  }

  void begin_group();
  void end_group();
  bool is_group_open() const { return group_ != Group::none; }

  // Ends the segment with the record that seals it, and begins the next one.
  void seal();
  void begin_next_segment();

  bool is_batch_empty() const { return batch_.size() == batch_header_size; }
  // Hands the batch over if it has records, and wakes the worker.
  void flush();
  // Hands the batch over, even an empty one, without waking the worker.
  void hand_over();
  // Whether everything is handed over, and yet no batch says that the last record is durable.
  // Damage in that record would look like a torn tail.
  bool needs_mark() const {
    return !is_group_open() && is_batch_empty() && stated_durable_ < content_end_;
  }
  // Appends a batch that says so, if everything is durable.
  void mark_durable();

  // The position of the next record, just behind the last one.
  LogPosition end() const { return is_batch_empty() ? end_ : next_position(); }
  // The same without the open batch.
  LogPosition handed_over_end() const { return end_; }
  std::size_t batch_size() const { return batch_.size(); }

 private:
  enum class Group {
    none,
    empty,    // open, but nothing was appended
    one_ack,  // only an acknowledgement: it needs no mark if nothing follows
    begun,    // its first mark was appended
  };
  struct FirstAck {
    engine::QueueId queue = 0;
    LogPosition message = 0;
    std::size_t offset = 0;  // in the batch
  };

  LogPosition next_position() const { return segments_.last_begin() + offset_ + batch_.size(); }
  void start_batch();
  bool has_room(std::size_t size) const;
  void begin_with_ack(engine::QueueId queue, LogPosition message);
  void mark_group();
  void append_in_fragments(const std::string& record);

  LogWorker& worker_;
  Segments& segments_;
  const DirectoryId id_;
  std::uint32_t epoch_ = 0;
  std::uint64_t offset_ = 0;        // of the batch, in the last segment
  std::string batch_;               // begins with room for its header
  engine::TimeMs batch_time_ = 0;   // the base of times in the batch; 0: none yet
  LogPosition end_ = 0;             // of the batches that were handed over
  LogPosition stated_durable_ = 0;  // the durable position in the last of these
  LogPosition content_end_ = 0;     // like end_, without batches that only say what is durable
  Group group_ = Group::none;
  LogPosition group_start_ = 0;  // of the open group
  FirstAck first_ack_;
  bool is_wake_due_ = false;  // a batch was handed over since the worker was woken
};

}  // namespace haypile::log
