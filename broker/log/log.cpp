#include "log/log.hpp"

#include <limits>
#include <new>
#include <utility>

#include "engine/canary.hpp"
#include "log/checkpoint.hpp"
#include "log/record.hpp"

namespace haypile::log {

namespace {
// A shortage of memory alone moves no less than this, in bytes of the log.
constexpr std::uint64_t move_size_min = 1u << 20;
}  // namespace

Log::Log(FileSystem& files, std::string directory, const DirectoryId& id, LogOptions options)
    : options_(std::move(options)),
      files_(files),
      directory_(std::move(directory)),
      id_(id),
      newest_(files_, directory_, id_),
      worker_(files_, directory_, id_, {options_.on_durable, options_.on_failure}),
      appender_(worker_, segments_, id_),
      piles_(files_, directory_, id_, appender_, worker_, checkpoints_),
      mover_(piles_, appender_, segments_, worker_, checkpoints_, id_, options_.portion_size),
      thinner_(piles_, appender_, segments_, worker_, checkpoints_),
      checkpointer_(catalog_, segments_, piles_, mover_, appender_, worker_, checkpoints_) {}

RecoveryReport Log::recover(engine::Recovery& recovery, const OnClock& on_clock) {
  try {
    return start(recovery, on_clock);
  } catch (const std::bad_alloc&) {
    throw IoError("the log in '" + directory_ + "' takes more memory than there is");
  }
}

// Each run has an epoch of its own: records that a crash left behind the end are of an older one. A
// run that cannot have a higher epoch begins with a new segment instead. So does one that finds a
// segment of an older version: a segment has records of one version only.
RecoveryReport Log::start(engine::Recovery& recovery, const OnClock& on_clock) {
  files_.sync_directory(directory_);
  RecoveryReport report;
  LogState state = replay(files_, directory_, id_, options_.segment_size, recovery, report,
                          {.on_clock = on_clock, .before_messages = [&](LogState& found) {
                             mover_.set_moved(found.moved);
                             piles_.restore(std::move(found.piles), found.catalog, recovery);
                           }});
  worker_.rethrow_early_failure();
  const bool is_last_epoch = state.epoch == std::numeric_limits<std::uint32_t>::max();
  catalog_ = std::move(state.catalog);
  catalog_.release_bindings();
  segments_.restore(state.segment_size, state.first_segment, state.segments);
  worker_.open_reserve(piles_.piles(), segments_.segment_size(), segments_.first(), reserve_size());
  complete_files(state);
  worker_.open_writer(segments_.segment_size(), state.is_new ? 0 : segments_.last(), newest_);
  appender_.start(state.epoch + (is_last_epoch || HAYPILE_CANARY(epoch_not_raised) ? 0 : 1),
                  state.is_new ? segment_header_size : state.offset);
  // Everything that was read has been synced. The first batch says so, since otherwise damage just
  // before it would look like a torn tail later.
  if (!state.is_new) worker_.set_durable(appender_.end());
  if (state.sealed) {
    appender_.begin_next_segment();
  } else if (state.version != format_version || is_last_epoch) {
    appender_.seal();
  }
  appender_.append_mark(RecordType::start);
  appender_.hand_over();
  worker_.write_first();
  if (options_.threaded) worker_.start_threads();
  return report;
}

// From version 5 on there is always a checkpoint, and the file that names the newest segment,
// without which nobody would notice that a segment was removed from the end. The checkpoint comes
// first, since that file implies that there is one.
void Log::complete_files(const LogState& state) {
  const std::uint64_t last = state.is_new ? 0 : segments_.last();
  if (!state.has_checkpoint) {
    Piles none;
    const std::string bytes =
        encode_checkpoint({.first_segment = segments_.first()}, {}, none, id_);
    worker_.reserve().with_reserve(
        [&] { replace_file(files_, directory_, checkpoint_name, bytes); });
  }
  if (!state.newest) {
    worker_.reserve().with_reserve([&] { newest_.create(last); });
    return;
  }
  newest_.open();
  if (last > *state.newest) newest_.set(last);
}

void Log::declare_exchange(const engine::ExchangeDefinition& exchange) {
  std::string record;
  append_exchange(record, exchange);
  appender_.append(record);
  catalog_.declare_exchange(exchange);
}

void Log::delete_exchange(std::string_view name) {
  std::string record;
  append_delete_exchange(record, name);
  appender_.append(record);
  catalog_.delete_exchange(name);
}

void Log::declare_queue(const engine::QueueDefinition& queue) {
  std::string record;
  append_queue(record, queue);
  appender_.append(record);
  catalog_.declare_queue(queue);
}

void Log::delete_queue(engine::QueueId queue) {
  std::string record;
  append_delete_queue(record, queue);
  appender_.append(record);
  piles_.forget_queue(queue);
  catalog_.delete_queue(queue);
}

void Log::set_unused_since(engine::QueueId queue, engine::TimeMs time) {
  std::string record;
  append_unused_since(record, queue, time);
  appender_.append(record);
  catalog_.set_unused_since(queue, time);
}

void Log::set_clock_offset(std::int64_t offset_ms) {
  std::string record;
  append_clock(record, offset_ms);
  appender_.append(record);
  catalog_.set_clock_offset(offset_ms);
}

void Log::bind(const engine::BindingDefinition& binding) {
  std::string record;
  append_binding(record, RecordType::bind, binding);
  appender_.append(record);
  catalog_.bind(binding);
}

void Log::unbind(const engine::BindingDefinition& binding) {
  std::string record;
  append_binding(record, RecordType::unbind, binding);
  appender_.append(record);
  catalog_.unbind(binding);
}

void Log::release_binding(const engine::BindingDefinition& binding) {
  catalog_.release_binding(binding);
}

void Log::ack(const engine::QueuedRef& message) {
  if (message.stored != 0) return piles_.ack(message);
  appender_.ack(message.queue, message.message);
  segments_.release(message.message);
}

void Log::release(const engine::QueuedRef& message) {
  if (message.stored == 0) segments_.release(message.message);
}

void Log::mark_delivered(const engine::QueuedRef& message) {
  if (message.stored != 0) return piles_.mark_delivered(message);
  appender_.append_message_record(RecordType::mark_delivered, message.queue, message.message);
}

void Log::set_delivery_count(const engine::QueuedRef& message, std::uint32_t count) {
  if (message.stored != 0) return piles_.set_delivery_count(message, count);
  appender_.append_delivery_count(message.queue, message.message, count);
}

// There are three reasons for a move: what is in the ring would soon not fit into the reserve as
// piles; the ring is full except for one segment; or messages take more memory than they should.
LogPosition Log::move_boundary(bool is_memory_short) const {
  if (!mover_.may_begin()) return 0;
  const LogPosition durable_now = durable();
  if (segments_.pile_bytes() > reserve_size() / 4 * 3 && durable_now > mover_.moved()) {
    return durable_now;
  }
  const std::size_t ring = segments_max();
  if (segments_.count() + 1 >= ring && !segments_.is_first_unused()) {
    const LogPosition boundary =
        std::min(durable_now, (segments_.first() + ring / 4) * segments_.segment_size());
    if (boundary > mover_.moved()) return is_memory_short ? durable_now : boundary;
  }
  const std::uint64_t worthwhile = std::min(move_size_min, segments_.segment_size() / 2);
  return is_memory_short && durable_now >= mover_.moved() + worthwhile ? durable_now : 0;
}

// The order matters: the thinner appends a record, and everything that was appended must be handed
// over before the checkpoint that may give up the segments before it.
void Log::flush() {
  if (appender_.is_group_open()) return;
  mover_.release_written();
  thinner_.run();
  appender_.flush();
  checkpointer_.run(segments_max());
}

// The mark comes last, also after the checkpoint, since only the piles say which of their messages
// had been delivered.
bool Log::close_clean() {
  try {
    mover_.log_delivered();
  } catch (const IoError& error) {
    worker_.fail(error);
    return false;
  }
  checkpointer_.set_closing();
  flush();
  if (worker_.has_threads()) {
    worker_.stop_threads();
  } else {
    step();
  }
  if (worker_.has_failed()) return false;
  appender_.append_mark(RecordType::clean_stop);
  appender_.hand_over();
  step_writer();
  return !worker_.has_failed();
}

const char* Log::broken_invariant() const {
  const char* broken = piles_.broken_invariant();
  return broken ? broken : segments_.broken_invariant();
}

}  // namespace haypile::log
