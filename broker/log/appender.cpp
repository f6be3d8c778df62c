#include "log/appender.hpp"

#include <cassert>
#include <utility>

#include "engine/canary.hpp"
#include "log/pile.hpp"

namespace haypile::log {

namespace {
// The end of each segment is kept free for the record that seals it, which may need a batch of its
// own, and for the alignment of two batches.
constexpr std::size_t seal_reserve = seal_size + 2 * batch_alignment;
// What a segment has besides one record. If a group continues in it, it begins with a mark.
constexpr std::size_t segment_overhead =
    segment_header_size + batch_header_size + 1 + time_size_max + seal_reserve;
}  // namespace

void Appender::start(std::uint32_t epoch, std::uint64_t offset) {
  epoch_ = epoch;
  offset_ = offset;
  end_ = segments_.last_begin() + offset_;
  start_batch();
}

void Appender::start_batch() {
  batch_.assign(batch_header_size, '\0');
  batch_time_ = 0;
}

void Appender::make_room(std::size_t size) {
  if (group_ == Group::empty || group_ == Group::one_ack) mark_group();
  if (!has_room(size)) seal();
}

bool Appender::has_room(std::size_t size) const {
  return offset_ + batch_.size() + size + seal_reserve <= segments_.segment_size();
}

void Appender::seal() {
  log::append_mark(batch_, RecordType::seal);
  hand_over();
  begin_next_segment();
}

// What a segment says does not depend on those before it: a group that continues in the next
// segment begins with a mark there, too.
void Appender::begin_next_segment() {
  segments_.add();
  offset_ = segment_header_size;
  if (group_ == Group::begun) log::append_mark(batch_, RecordType::group_begin);
}

void Appender::begin_group() {
  assert(group_ == Group::none);
  if (HAYPILE_CANARY(group_not_marked)) return;
  group_ = Group::empty;
  group_start_ = end();
}

// An acknowledgement that was appended without a mark is taken back, and appended again behind it.
void Appender::mark_group() {
  const bool has_ack = group_ == Group::one_ack;
  if (has_ack) batch_.resize(first_ack_.offset);
  if (!has_room(1 + message_record_size_max)) seal();
  group_ = Group::begun;
  log::append_mark(batch_, RecordType::group_begin);
  if (!has_ack) return;
  log::append_message_record(batch_, RecordType::ack, first_ack_.queue, first_ack_.message,
                             next_position());
}

void Appender::end_group() {
  if (HAYPILE_CANARY(group_not_marked)) return;
  assert(group_ != Group::none);
  if (group_ == Group::begun) append_mark(RecordType::group_end);
  group_ = Group::none;
}

void Appender::append(const std::string& record) {
  if (record.size() + segment_overhead > segments_.segment_size()) {
    return append_in_fragments(record);
  }
  make_room(record.size());
  batch_ += record;
}

void Appender::append_in_fragments(const std::string& record) {
  std::string_view rest = record;
  RecordType type = RecordType::first_fragment;
  while (!rest.empty()) {
    make_room(fragment_overhead + 1);
    const std::size_t room = segments_.segment_size() - offset_ - batch_.size() - seal_reserve;
    const std::string_view part = rest.substr(0, room - fragment_overhead);
    rest.remove_prefix(part.size());
    if (rest.empty()) {
      if (type == RecordType::first_fragment) {
        batch_ += part;  // the whole record had room here
        return;
      }
      type = RecordType::last_fragment;
    }
    append_fragment(batch_, type, part);
    type = RecordType::fragment;
  }
}

LogPosition Appender::publish(const engine::MessageView& message,
                              std::span<const engine::QueueId> queues) {
  const std::size_t size_max = publish_size_max(message, queues.size());
  const bool is_split = size_max + segment_overhead > segments_.segment_size();
  make_room(is_split ? fragment_overhead + 1 : size_max + time_size_max);
  if (!is_split && batch_time_ == 0 && message.published_at != 0) {
    append_time(batch_, batch_time_ = message.published_at);
  }
  const LogPosition position = next_position();
  // The message belongs to the segment in which its record begins.
  segments_.add_message(HAYPILE_CANARY(one_copy_counted) ? 1 : queues.size(),
                        pile_size_max(message, queues.size()));
  if (is_split) {
    std::string record;
    append_publish(record, message, queues, 0);
    append_in_fragments(record);
  } else {
    append_publish(batch_, message, queues, batch_time_);
  }
  return position;
}

void Appender::begin_with_ack(engine::QueueId queue, LogPosition message) {
  if (!has_room(message_record_size_max)) seal();
  group_ = Group::one_ack;
  first_ack_ = {queue, message, batch_.size()};
  log::append_message_record(batch_, RecordType::ack, queue, message, next_position());
}

// The header says how far the log was durable when the batch ended, and up to where all will be
// durable once it is synced: never a position within a group.
void Appender::hand_over() {
  const std::size_t records_size = batch_.size() - batch_header_size;
  const LogPosition begin = segments_.last_begin() + offset_;
  stated_durable_ = worker_.durable();
  const BatchHeader header{
      static_cast<std::uint32_t>(records_size), epoch_, begin, stated_durable_,
      checksum(std::string_view(batch_).substr(batch_header_size), id_, begin)};
  encode(header, id_, batch_);
  end_ = content_end_ = next_position();
  is_wake_due_ = true;
  const std::uint64_t offset = offset_;
  batch_.resize(align(batch_.size()), '\0');
  offset_ += batch_.size();
  batch_ = worker_.write(
      {segments_.last(), offset, std::move(batch_), group_ == Group::none ? end_ : group_start_});
  start_batch();
}

void Appender::flush() {
  if (!is_batch_empty()) hand_over();
  if (std::exchange(is_wake_due_, false)) worker_.wake_writer();
}

// The batch with the idle mark is no content: nothing needs to say of it that it is durable.
void Appender::mark_durable() {
  if (!needs_mark() || worker_.durable() < content_end_) return;
  const LogPosition content_end = content_end_;
  append_mark(RecordType::idle);
  hand_over();
  content_end_ = content_end;
  is_wake_due_ = false;
  worker_.wake_writer();
}

}  // namespace haypile::log
