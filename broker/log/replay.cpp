#include "log/replay.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "engine/canary.hpp"
#include "log/checkpoint.hpp"
#include "log/live_messages.hpp"
#include "log/records.hpp"
#include "log/segment.hpp"

namespace haypile::log {

namespace {

using Visit = Records::Visit;

class Replay {
 public:
  Replay(FileSystem& files, std::string directory, const DirectoryId& id)
      : files_(files), directory_(std::move(directory)), id_(id) {}

  LogState run(std::uint64_t segment_size, Newest& newest, engine::Recovery& recovery,
               RecoveryReport& report, const ReplayCalls& calls);

 private:
  void read_head(Newest& newest);
  void find_segments();
  void check_newest(std::uint64_t last);
  // The result is valid until the next call.
  std::string_view read_segment(std::uint64_t number, std::uint64_t size_max);
  SegmentHeaderResult header_of(std::uint64_t number) {
    return decode_segment_header(read_segment(number, segment_header_size), id_);
  }
  void check_header(std::uint64_t number, const SegmentHeaderResult& result);
  // Calls `visit` for all records, and finds out where they end.
  void each_record(const Visit& visit, bool check_ends);
  void check_end(std::uint64_t number, const SegmentReader& reader);
  void check_piles();
  void count_stored(RecoveryReport& report);
  void check_whole() const;
  void hand_over(LogPosition position, const Record& record, engine::Recovery& recovery,
                 RecoveryReport& report);
  [[noreturn]] void refuse(std::uint64_t number, const std::string& why) const {
    throw DamageError("'" + directory_ + "/" + segment_name(number) + "' " + why);
  }

  FileSystem& files_;
  std::string directory_;
  DirectoryId id_;
  std::vector<std::uint64_t> numbers_;
  LogPosition definitions_from_ = 0;
  LogState state_;
  std::optional<LiveMessages> copies_;
  std::string segment_bytes_;  // of the segment that is being read
  std::uint64_t record_count_ = 0;
  std::uint64_t torn_bytes_ = 0;
  std::uint32_t torn_epoch_ = 0;
  std::uint32_t version_max_ = 0;  // of the segments
  engine::TimeMs seen_ = 0;        // the latest time that was recorded
};

// Segments before the first needed one are left by a recycling that a crash has interrupted. The
// header of the last segment may not have reached the disk.
void Replay::find_segments() {
  bool has_piles = false;
  for (const std::string& name : files_.list(directory_)) {
    const auto number = segment_number(name);
    if (number && *number >= state_.first_segment) numbers_.push_back(*number);
    has_piles = has_piles || pile_number(name).has_value();
  }
  std::ranges::sort(numbers_);
  if (!numbers_.empty() && header_of(numbers_.back()).blank) numbers_.pop_back();
  check_newest(numbers_.empty() ? 0 : numbers_.back());
  if (numbers_.empty() && (definitions_from_ != 0 || (has_piles && !state_.has_checkpoint))) {
    refuse(state_.first_segment, "is missing");
  }
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const std::uint64_t expected = state_.first_segment + i;
    if (numbers_[i] != expected) refuse(expected, "is missing");
    check_header(expected, header_of(expected));
  }
  if (version_max_ >= 5 && !state_.newest) {
    throw DamageError("'" + directory_ + "/" + newest_name + "' is missing");
  }
}

// The segment that `newest` names existed, with its header, before `newest` named it, and a
// checkpoint existed before that.
void Replay::check_newest(std::uint64_t last) {
  if (!state_.newest) return;
  if (!state_.has_checkpoint) {
    throw DamageError("'" + directory_ + "/" + checkpoint_name + "' is missing");
  }
  if (*state_.newest > last) {
    const bool is_there = files_.exists(directory_ + "/" + segment_name(*state_.newest));
    refuse(*state_.newest, is_there ? "has no header" : "is missing");
  }
}

std::string_view Replay::read_segment(std::uint64_t number, std::uint64_t size_max) {
  const auto file = files_.open(directory_ + "/" + segment_name(number));
  file->sync();
  file->read(0, std::min(file->size(), size_max), segment_bytes_);
  return segment_bytes_;
}

void Replay::check_header(std::uint64_t number, const SegmentHeaderResult& result) {
  if (!result.error.empty()) refuse(number, result.error);
  if (result.header.number != number) {
    refuse(number, "is " + segment_name(result.header.number) + " under another name");
  }
  if (result.header.segment_size < segment_size_min) refuse(number, "has an impossible size");
  if (state_.segment_size == 0) state_.segment_size = result.header.segment_size;
  if (result.header.segment_size != state_.segment_size) refuse(number, "has another size");
  if (number > position_max / state_.segment_size) refuse(number, "has an impossible number");
  state_.version = result.header.version;
  version_max_ = std::max(version_max_, state_.version);
}

void Replay::each_record(const Visit& visit, bool check_ends) {
  state_.epoch = 0;
  Records records;
  for (const std::uint64_t number : numbers_) {
    const std::string_view bytes = read_segment(number, state_.segment_size);
    SegmentReader reader(bytes, number, state_.segment_size, state_.epoch, id_);
    records.unseal();
    if (check_ends) copies_->begin_segment();
    Batch batch;
    while (!records.sealed() && reader.next(batch)) {
      const std::string error = records.read(batch.records, batch.position, visit);
      if (!error.empty()) throw DamageError("the log in '" + directory_ + "' has " + error);
    }
    state_.sealed = records.sealed();
    state_.epoch = reader.epoch();
    state_.offset = reader.offset();
    if (check_ends && !state_.sealed) check_end(number, reader);
  }
  record_count_ = records.count();
}

// A segment is synced to its end before the next one is created.
void Replay::check_end(std::uint64_t number, const SegmentReader& reader) {
  const std::string place = "is damaged at offset " + std::to_string(reader.offset()) + ": ";
  if (number != numbers_.back()) refuse(number, place + "the next segment goes on behind it");
  const SegmentReader::Tail tail = reader.tail();
  if (tail.was_durable) {
    refuse(number, place + "a batch further on says that all before it was durable");
  }
  torn_bytes_ = tail.torn_bytes;
  torn_epoch_ = tail.epoch;
}

// Everything before a checkpoint's position was synced before the checkpoint was written.
void Replay::check_whole() const {
  const std::uint64_t last = numbers_.back();
  if (last * state_.segment_size + state_.offset < definitions_from_) {
    refuse(last, "is damaged at offset " + std::to_string(state_.offset) +
                     ": the checkpoint says that more than what is before was durable");
  }
  if (!state_.sealed && state_.offset + seal_size > state_.segment_size) {
    refuse(last, "is full, and not sealed");
  }
}

// Every pile that the checkpoint names must exist and have its full size.
void Replay::check_piles() {
  state_.piles.each([&](Piles::Slot, const Pile& pile) {
    const std::string name = pile_name(pile.file);
    const auto refuse_pile = [&](const std::string& why) {
      throw DamageError("'" + directory_ + "/" + name + "' " + why);
    };
    if (!files_.exists(directory_ + "/" + name)) refuse_pile("is missing");
    const auto file = files_.open(directory_ + "/" + name);
    const std::string error = check_pile_header(file->read(0, pile_header_size), pile.file, id_);
    if (!error.empty()) refuse_pile(error);
    if (file->size() != pile.size) {
      refuse_pile("has " + std::to_string(file->size()) + " bytes, expected " +
                  std::to_string(pile.size));
    }
  });
}

// A deleted queue has no messages left in piles.
void Replay::count_stored(RecoveryReport& report) {
  state_.piles.each([&](Piles::Slot, Pile& pile) {
    if (!copies_->clean() && !HAYPILE_CANARY(pile_mark_forgotten)) pile.redelivered = true;
    for (std::size_t e = 0; e < pile.extents.size(); ++e) {
      const Extent& extent = pile.extents[e];
      const bool is_there = state_.catalog.has_queue(extent.queue);
      for (std::uint32_t i = extent.first; i < extent.first + extent.count && !is_there; ++i)
        pile.drop(i);
      if (!is_there) continue;
      report.message_counts[state_.catalog.queue(extent.queue).name] += pile.live_count_in(e);
    }
  });
}

void Replay::hand_over(LogPosition position, const Record& record, engine::Recovery& recovery,
                       RecoveryReport& report) {
  const auto* publish = std::get_if<PublishRecord>(&record);
  if (!publish || position < state_.moved) return;
  std::vector<engine::RecoveredRef> copies;
  for (const engine::QueueId queue : publish->queues) {
    const auto copy = copies_->find(position, queue);
    if (!copy || !state_.catalog.has_queue(queue)) continue;
    copies.push_back(*copy);
    ++report.message_counts[state_.catalog.queue(queue).name];
  }
  if (copies.empty()) return;
  SegmentUse& use = state_.segments[position / state_.segment_size - state_.first_segment];
  use.live_count += copies.size();
  use.pile_bytes += pile_size_max(publish->message, copies.size());
  recovery.message(position, publish->message, copies);
}

void Replay::read_head(Newest& newest) {
  state_.newest = newest.read();
  if (auto checkpoint = read_checkpoint(files_, directory_, id_)) {
    state_.first_segment = checkpoint->first_segment;
    state_.moved = HAYPILE_CANARY(moved_ignored) ? 0 : checkpoint->moved;
    state_.piles = std::move(checkpoint->piles);
    definitions_from_ = checkpoint->position;
    state_.catalog = std::move(checkpoint->catalog);
    state_.has_checkpoint = true;
  }
}

// The first pass feeds all records to LiveMessages and, from the checkpoint's position on, to the
// catalog. It also checks how each segment ends: only the last one may have a torn tail. Then the
// definitions are complete and go to `recovery`. The second pass reads the same records again and
// hands over the messages that LiveMessages still has in a queue. So only a few bytes for each
// queued message stay in memory between the passes, never the messages.
LogState Replay::run(std::uint64_t segment_size, Newest& newest, engine::Recovery& recovery,
                     RecoveryReport& report, const ReplayCalls& calls) {
  read_head(newest);
  find_segments();
  if (numbers_.empty()) {
    state_.segment_size = segment_size;
    state_.is_new = true;
    state_.segments = {{}};
    return std::move(state_);
  }
  check_piles();
  copies_.emplace(state_.piles, definitions_from_, state_.moved);
  const auto learn = [this](LogPosition position, const Record& record) {
    copies_->apply(position, record);
    if (position >= definitions_from_) state_.catalog.apply(record);
    if (const auto* time = std::get_if<TimeRecord>(&record)) seen_ = std::max(seen_, time->time);
    if (const auto* publish = std::get_if<PublishRecord>(&record)) {
      seen_ = std::max(seen_, publish->message.published_at);
    }
  };
  each_record(learn, true);
  check_whole();
  state_.segments.assign(numbers_.size(), {});
  if (calls.on_clock) {
    calls.on_clock({.offset_ms = state_.catalog.clock_offset_ms(), .seen = seen_});
  }
  state_.catalog.emit(recovery);
  state_.catalog.each_queue(
      [&](const engine::QueueDefinition& queue) { report.message_counts[queue.name] = 0; });
  count_stored(report);
  if (calls.before_messages) calls.before_messages(state_);
  each_record([&](LogPosition position,
                  const Record& record) { hand_over(position, record, recovery, report); },
              false);
  state_.epoch = std::max(state_.epoch, torn_epoch_);
  report.segment_count = numbers_.size();
  report.record_count = record_count_;
  report.torn_bytes = torn_bytes_;
  if (torn_bytes_ != 0) {
    report.torn_reason = "the end of '" + segment_name(numbers_.back()) + "' from offset " +
                         std::to_string(state_.offset) + " on was not written whole";
  }
  report.clean = copies_->clean();
  return std::move(state_);
}

}  // namespace

LogState replay(FileSystem& files, const std::string& directory, const DirectoryId& id,
                std::uint64_t segment_size, Newest& newest, engine::Recovery& recovery,
                RecoveryReport& report, const ReplayCalls& calls) {
  const auto started = std::chrono::steady_clock::now();
  LogState state = Replay(files, directory, id).run(segment_size, newest, recovery, report, calls);
  report.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - started);
  return state;
}

}  // namespace haypile::log
