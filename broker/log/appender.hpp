// Puts records together in batches, and knows where in the log each of them will stand;
// docs/log-format.md, "Segments", "Batches" and "Groups".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/definitions.hpp"
#include "log/format.hpp"
#include "log/log_worker.hpp"
#include "log/record.hpp"
#include "log/segments.hpp"

namespace haypile::log {

// A record is appended to the batch that is open. flush() and a full segment hand the batch over to
// the worker, and the next one begins behind it. Each segment ends with a record that seals it.
//
// A group begins with a mark and ends with one; a recovery takes it as a whole or not at all. The
// mark is written when it is needed: not for an empty group, and not for one that has nothing but
// an acknowledgement.
//
// Belongs to the engine's thread.
class Appender {
 public:
  // Both outlive the appender.
  Appender(LogWorker& worker, Segments& segments, const DirectoryId& id)
      : worker_(worker), segments_(segments), id_(id) {}

  // Continues at `offset` of the last segment. `epoch` stands in all batches of this run.
  void start(std::uint32_t epoch, std::uint64_t offset);

  // Appends a record. make_room() is called first, with the record's size or more: it may end the
  // batch, and begins the group's records if a group is open. Then the record is appended to
  // batch(), at next_position().
  void make_room(std::size_t size);
  std::string& batch() { return batch_; }
  LogPosition next_position() const { return segments_.last_begin() + offset_ + batch_.size(); }
  void append_mark(RecordType type) {
    make_room(1);
    log::append_mark(batch_, type);
  }
  // The record `type` of a queue and a message.
  void append_message_record(RecordType type, engine::QueueId queue, LogPosition message) {
    make_room(message_record_size_max);
    log::append_message_record(batch_, type, queue, message, next_position());
  }
  // A record of any size. One that no segment has room for is written in fragments.
  void append(const std::string& record);

  // Returns the position that names the message. `queues` is never empty.
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
  // Hands the batch over if there is anything in it, and wakes the worker.
  void flush();
  // Hands the batch over, also an empty one. The worker is not woken.
  void hand_over();
  // Everything is handed over, and yet no batch says of the last one that it is durable. Damage in
  // it would pass for a torn tail.
  bool needs_mark() const {
    return !is_group_open() && is_batch_empty() && stated_durable_ < content_end_;
  }
  // Writes that down, if all is durable by now.
  void mark_durable();

  // Where the next record will stand; behind what was appended last.
  LogPosition end() const { return is_batch_empty() ? end_ : next_position(); }
  // The same without the batch that is open.
  LogPosition handed_over_end() const { return end_; }
  std::size_t batch_size() const { return batch_.size(); }

 private:
  enum class Group {
    none,
    empty,    // open, and nothing was appended
    one_ack,  // one acknowledgement, without a mark: it needs none if nothing follows
    begun,    // its first mark was appended
  };
  struct FirstAck {
    engine::QueueId queue = 0;
    LogPosition message = 0;
    std::size_t offset = 0;  // in the batch
  };

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
  engine::TimeMs batch_time_ = 0;   // what times in the batch count from; 0: there is none yet
  LogPosition end_ = 0;             // of the batches that were handed over
  LogPosition stated_durable_ = 0;  // what the last of these says to be durable
  LogPosition content_end_ = 0;     // like end_, without batches that only say what is durable
  Group group_ = Group::none;
  LogPosition group_start_ = 0;  // of the group that is open
  FirstAck first_ack_;
  bool is_wake_due_ = false;  // something was handed over since the worker was woken
};

}  // namespace haypile::log
