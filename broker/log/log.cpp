#include "log/log.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <new>
#include <utility>

#include "engine/canary.hpp"
#include "log/checkpoint.hpp"
#include "log/record.hpp"

namespace haypile::log {

namespace {
// Kept free at the end of each segment: the record that seals it, in a batch of its own if it has
// to be, and the alignment of two batches.
constexpr std::size_t seal_reserve = seal_size + 2 * batch_alignment;
// A segment that a group goes on in begins with a mark.
constexpr std::size_t segment_overhead =
    segment_header_size + batch_header_size + 1 + time_size_max + seal_reserve;
}  // namespace

Log::Log(FileSystem& files, std::string directory, const DirectoryId& id, LogOptions options)
    : options_(std::move(options)),
      files_(files),
      directory_(std::move(directory)),
      id_(id),
      newest_(files_, directory_, id_),
      pile_reader_(files_, directory_, id_) {}

RecoveryReport Log::recover(engine::Recovery& recovery, const OnClock& on_clock) {
  try {
    return start(recovery, on_clock);
  } catch (const std::bad_alloc&) {
    throw IoError("the log in '" + directory_ + "' takes more memory than there is");
  }
}

RecoveryReport Log::start(engine::Recovery& recovery, const OnClock& on_clock) {
  files_.sync_directory(directory_);
  RecoveryReport report;
  LogState state = replay(files_, directory_, id_, options_.segment_size, newest_, recovery, report,
                          {.on_clock = on_clock,
                           .before_messages = [&](LogState& found) { restore(found, recovery); }});
  if (recovery_error_) std::rethrow_exception(recovery_error_);
  segment_size_ = state.segment_size;
  const bool is_last_epoch = state.epoch == std::numeric_limits<std::uint32_t>::max();
  epoch_ = state.epoch + (is_last_epoch || HAYPILE_CANARY(epoch_not_raised) ? 0 : 1);
  catalog_ = std::move(state.catalog);
  catalog_.release_bindings();
  first_segment_ = state.first_segment;
  segments_.assign(state.segments.begin(), state.segments.end());
  for (const SegmentUse& segment : segments_)
    pile_bytes_ += segment.pile_bytes;
  const std::uint64_t last = first_segment_ + segments_.size() - 1;
  base_ = last * segment_size_;
  offset_ = state.is_new ? segment_header_size : state.offset;
  end_ = base_ + offset_;
  disk_reserve_ = std::make_unique<DiskReserve>(files_, directory_, segment_size_, reserve_size());
  disk_reserve_->prepare(piles_, first_segment_);
  maintenance_ = std::make_unique<Maintenance>(files_, directory_, id_, *disk_reserve_);
  complete_files(state);
  writer_ = std::make_unique<Writer>(files_, directory_, id_, segment_size_,
                                     state.is_new ? 0 : last, *disk_reserve_, newest_);
  // All that was read has been synced: the first batch says so, or damage right before it would
  // pass for a torn tail later.
  if (!state.is_new) writer_->set_durable(end_);
  start_batch();
  if (state.sealed) {
    next_segment();
  } else if (state.version != format_version || is_last_epoch) {
    // A segment has records of its own version only; and what a crash left behind its end could
    // not be told from what is written there.
    seal();
  }
  make_room(1);
  append_mark(batch_, RecordType::start);
  hand_over();
  writer_->run(std::exchange(batches_, {}), {});
  unwritten_batch_bytes_ = 0;
  if (options_.threaded) start_threads();
  return report;
}

// From version 5 on there is always a checkpoint, and beside it the file that tells the newest
// segment, or nobody would miss them. The checkpoint comes first: the other one says that it is
// there.
void Log::complete_files(const LogState& state) {
  const std::uint64_t last = state.is_new ? 0 : base_ / segment_size_;
  if (!state.has_checkpoint) {
    Piles none;
    const std::string bytes = encode_checkpoint({.first_segment = first_segment_}, {}, none, id_);
    disk_reserve_->with_reserve([&] { replace_file(files_, directory_, checkpoint_name, bytes); });
  }
  if (!state.newest) {
    disk_reserve_->with_reserve([&] { newest_.create(last); });
  } else if (last > *state.newest) {
    newest_.set(last);
  }
}

Log::~Log() {
  stop_threads();
}

void Log::start_batch() {
  batch_.assign(batch_header_size, '\0');
  batch_time_ = 0;
}

// From here on there is room for a record of `size` bytes in the batch, and a group has begun.
void Log::make_room(std::size_t size) {
  if (group_ == Group::empty || group_ == Group::one_ack) mark_group();
  if (!has_room(size)) seal();
}

bool Log::has_room(std::size_t size) const {
  return offset_ + batch_.size() + size + seal_reserve <= segment_size_;
}

void Log::seal() {
  append_mark(batch_, RecordType::seal);
  hand_over();
  next_segment();
}

void Log::next_segment() {
  segments_.push_back({});
  base_ += segment_size_;
  offset_ = segment_header_size;
  if (group_ == Group::begun) append_mark(batch_, RecordType::group_begin);
}

void Log::begin_group() {
  assert(group_ == Group::none);
  if (HAYPILE_CANARY(group_not_marked)) return;
  group_ = Group::empty;
  group_start_ = end();
}

// An acknowledgement that did not stay alone is written again, behind the mark.
void Log::mark_group() {
  const bool has_ack = group_ == Group::one_ack;
  if (has_ack) batch_.resize(first_ack_.offset);
  if (!has_room(1 + message_record_size_max)) seal();
  group_ = Group::begun;
  append_mark(batch_, RecordType::group_begin);
  if (!has_ack) return;
  append_message_record(batch_, RecordType::ack, first_ack_.queue, first_ack_.message,
                        next_position());
}

void Log::end_group() {
  if (HAYPILE_CANARY(group_not_marked)) return;
  assert(group_ != Group::none);
  if (group_ == Group::begun) {
    make_room(1);
    append_mark(batch_, RecordType::group_end);
  }
  group_ = Group::none;
}

void Log::append(const std::string& record) {
  if (record.size() + segment_overhead > segment_size_) return append_split(record);
  make_room(record.size());
  batch_ += record;
}

// A record that no segment has room for goes on through as many as it needs.
void Log::append_split(const std::string& record) {
  std::string_view rest = record;
  RecordType type = RecordType::first_fragment;
  while (!rest.empty()) {
    make_room(fragment_overhead + 1);
    const std::size_t room = segment_size_ - offset_ - batch_.size() - seal_reserve;
    const std::string_view part = rest.substr(0, room - fragment_overhead);
    rest.remove_prefix(part.size());
    if (rest.empty()) {
      if (type == RecordType::first_fragment) {
        batch_ += part;  // all of it, after all
        return;
      }
      type = RecordType::last_fragment;
    }
    append_fragment(batch_, type, part);
    type = RecordType::fragment;
  }
}

void Log::declare_exchange(const engine::ExchangeDefinition& exchange) {
  std::string record;
  append_exchange(record, exchange);
  append(record);
  changed_catalog().declare_exchange(exchange);
}

void Log::delete_exchange(std::string_view name) {
  std::string record;
  append_delete_exchange(record, name);
  append(record);
  changed_catalog().delete_exchange(name);
}

void Log::declare_queue(const engine::QueueDefinition& queue) {
  std::string record;
  append_queue(record, queue);
  append(record);
  changed_catalog().declare_queue(queue);
}

void Log::delete_queue(engine::QueueId queue) {
  std::string record;
  append_delete_queue(record, queue);
  append(record);
  forget_queue(queue);
  changed_catalog().delete_queue(queue);
}

void Log::set_unused_since(engine::QueueId queue, engine::TimeMs time) {
  std::string record;
  append_unused_since(record, queue, time);
  append(record);
  changed_catalog().set_unused_since(queue, time);
}

void Log::set_clock_offset(std::int64_t offset_ms) {
  std::string record;
  append_clock(record, offset_ms);
  append(record);
  changed_catalog().set_clock_offset(offset_ms);
}

void Log::bind(const engine::BindingDefinition& binding) {
  std::string record;
  append_binding(record, RecordType::bind, binding);
  append(record);
  changed_catalog().bind(binding);
}

void Log::unbind(const engine::BindingDefinition& binding) {
  std::string record;
  append_binding(record, RecordType::unbind, binding);
  append(record);
  changed_catalog().unbind(binding);
}

void Log::release_binding(const engine::BindingDefinition& binding) {
  catalog_.release_binding(binding);
}

LogPosition Log::publish(const engine::MessageView& message,
                         std::span<const engine::QueueId> queues) {
  const std::size_t size_max = publish_size_max(message, queues.size());
  const bool is_split = size_max + segment_overhead > segment_size_;
  make_room(is_split ? fragment_overhead + 1 : size_max + time_size_max);
  if (!is_split && batch_time_ == 0 && message.published_at != 0) {
    append_time(batch_, batch_time_ = message.published_at);
  }
  const LogPosition position = next_position();
  SegmentUse& segment = segments_.back();  // where the record begins
  segment.live_count += HAYPILE_CANARY(one_copy_counted) ? 1 : queues.size();
  const std::uint64_t copy_bytes = pile_size_max(message, queues.size());
  segment.pile_bytes += copy_bytes;
  pile_bytes_ += copy_bytes;
  if (is_split) {
    std::string record;
    append_publish(record, message, queues, 0);
    append_split(record);
  } else {
    append_publish(batch_, message, queues, batch_time_);
  }
  return position;
}

void Log::ack(const engine::QueuedRef& copy) {
  if (copy.stored != 0) return ack_stored(copy);
  if (group_ == Group::empty) {
    if (!has_room(message_record_size_max)) seal();
    group_ = Group::one_ack;
    first_ack_ = {copy.queue, copy.message, batch_.size()};
  } else {
    make_room(message_record_size_max);
  }
  append_message_record(batch_, RecordType::ack, copy.queue, copy.message, next_position());
  release_in_segment(copy.message);
}

void Log::release(const engine::QueuedRef& copy) {
  if (copy.stored == 0) release_in_segment(copy.message);
}

void Log::mark_delivered(const engine::QueuedRef& copy) {
  if (copy.stored != 0) return mark_stored(copy);
  make_room(message_record_size_max);
  append_message_record(batch_, RecordType::mark_delivered, copy.queue, copy.message,
                        next_position());
}

void Log::set_delivery_count(const engine::QueuedRef& copy, std::uint32_t count) {
  if (copy.stored != 0) return note_stored(copy, count);
  make_room(delivery_count_size_max);
  append_delivery_count(batch_, copy.queue, copy.message, count, next_position());
}

void Log::hand_over() {
  const std::size_t records_size = batch_.size() - batch_header_size;
  stated_ = durable();
  const BatchHeader header{
      static_cast<std::uint32_t>(records_size), epoch_, base_ + offset_, stated_,
      checksum(std::string_view(batch_).substr(batch_header_size), id_, base_ + offset_)};
  encode(header, id_, batch_);
  end_ = content_end_ = next_position();
  anything_new_ = true;
  const std::uint64_t offset = offset_;
  batch_.resize(align(batch_.size()), '\0');
  offset_ += batch_.size();
  unwritten_batch_bytes_.fetch_add(batch_.size(), std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    batches_.push_back({base_ / segment_size_, offset, std::move(batch_),
                        group_ == Group::none ? end_ : group_start_});
    if (buffers_.empty()) {
      batch_ = {};
    } else {
      batch_ = std::move(buffers_.back());
      buffers_.pop_back();
    }
  }
  start_batch();
}

// A seal says it as well.
void Log::mark_durable() {
  if (!needs_mark() || durable() < content_end_) return;
  const LogPosition content_end = content_end_;
  make_room(1);
  append_mark(batch_, RecordType::idle);
  hand_over();
  content_end_ = content_end;
  anything_new_ = false;
  writer_wake_.notify_one();
}

void Log::flush() {
  if (group_ != Group::none) return;
  release_parts();
  thin_piles();
  if (!batch_empty()) hand_over();
  if (std::exchange(anything_new_, false)) writer_wake_.notify_one();
  recycle();
}

// Oldest first only: a message's acknowledgement is never given up before the message. All that was
// appended has been handed over before, and has to be durable before the checkpoint is written.
void Log::recycle() {
  if (!may_write_checkpoint()) return;
  InstallCheckpoint recycle;
  // The last one that is on disk once the log is durable up to end_ stays: a log is never without
  // a segment.
  const std::size_t kept_count = end_ > base_ ? 1 : 2;
  while (segments_.size() > kept_count &&
         (segments_.front().live_count == 0 || HAYPILE_CANARY(live_segment_recycled))) {
    segments_.pop_front();
    recycle.segments.push_back(first_segment_++);
  }
  const bool is_due = std::exchange(is_checkpoint_due_, false);
  if (recycle.segments.empty() && empty_piles_.empty() && !is_due) return;
  recycle.pile_files = std::exchange(old_files_, {});
  for (const Piles::Slot slot : std::exchange(empty_piles_, {})) {
    recycle.pile_files.push_back(piles_.at(slot).file);
    forget_pile(slot);
  }
  if (!recycle.pile_files.empty()) pile_reader_.close();
  ++checkpoint_count_;
  recycle.spare_count_max = ring_segments() - std::min(ring_segments(), segments_.size());
  recycle.head = {first_segment_, end_, moved_};
  if (!definitions_) definitions_ = std::make_shared<const std::string>(catalog_.encode());
  recycle.definitions = definitions_;
  recycle.piles = encode_piles(piles_);
  hand_over({std::move(recycle), end_});
}

// One at a time, and not before as much can be given up as it takes to write: with many definitions
// checkpoints would be most of what is written. Only what is urgent does not wait: a ring that is
// getting full, and piles, which stay in memory until a checkpoint has them. The last one does not
// wait either: it has to have all piles, since only they say who was given their messages.
bool Log::may_write_checkpoint() {
  if (is_closing_) return true;
  if (maintenance_->checkpoint_count() != checkpoint_count_) return false;
  if (is_checkpoint_due_ || segments_.size() >= ring_segments() / 4 * 3) return true;
  std::uint64_t unused_bytes = 0;
  for (std::size_t i = 0; i + 1 < segments_.size() && segments_[i].live_count == 0; ++i)
    unused_bytes += segment_size_;
  for (const Piles::Slot slot : empty_piles_)
    unused_bytes += piles_.at(slot).size;
  return !definitions_ || unused_bytes >= 2 * definitions_->size();
}

// The mark comes last, behind the checkpoint too: who was given the messages of a pile is said in
// the pile.
bool Log::close_clean() {
  try {
    if (builder_) mark_moved();
  } catch (const IoError& error) {
    fail(error);
    return false;
  }
  is_closing_ = true;
  flush();
  if (writer_thread_.joinable()) {
    stop_threads();
  } else {
    step();
  }
  if (failed_) return false;
  make_room(1);
  append_mark(batch_, RecordType::clean_stop);
  hand_over();
  step_writer();
  return !failed_;
}

}  // namespace haypile::log
