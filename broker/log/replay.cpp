#include "log/replay.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "engine/canary.hpp"
#include "log/log_reader.hpp"

namespace haypile::log {

namespace {

class Replay {
 public:
  Replay(FileSystem& files, std::string directory, const DirectoryId& id,
         engine::Recovery& recovery, RecoveryReport& report)
      : files_(files),
        id_(id),
        reader_(files, std::move(directory), id, DamagePolicy::refuse),
        recovery_(recovery),
        report_(report) {}

  LogState run(std::uint64_t segment_size, const ReplayCalls& calls);

 private:
  void read_records();
  void check_piles();
  void count_stored();
  void hand_over_messages();
  void fill_report();

  FileSystem& files_;
  const DirectoryId id_;
  LogReader reader_;
  engine::Recovery& recovery_;
  RecoveryReport& report_;
  LogState state_;
  engine::TimeMs seen_ = 0;  // the latest time that was recorded
};

// Every pile that the checkpoint names must exist and have its full size.
void Replay::check_piles() {
  reader_.checkpoint().piles.each([&](Piles::Slot, const Pile& pile) {
    const std::string path = reader_.path(pile_name(pile.file));
    const auto refuse = [&](const std::string& what) {
      reader_.damages().add({.file = path, .what = what});
    };
    if (!files_.exists(path)) refuse("is missing");
    const auto file = files_.open(path);
    const std::string error = check_pile_header(file->read(0, pile_header_size), pile.file, id_);
    if (!error.empty()) refuse(error);
    if (file->size() != pile.size) {
      refuse("has " + std::to_string(file->size()) + " bytes, expected " +
             std::to_string(pile.size));
    }
  });
}

void Replay::read_records() {
  reader_.read_records([this](LogPosition, const Record& record) {
    if (const auto* time = std::get_if<TimeRecord>(&record)) seen_ = std::max(seen_, time->time);
    if (const auto* publish = std::get_if<PublishRecord>(&record)) {
      seen_ = std::max(seen_, publish->message.published_at);
    }
  });
}

// A deleted queue has no messages left in piles.
void Replay::count_stored() {
  state_.piles.each([&](Piles::Slot, Pile& pile) {
    if (!reader_.live_messages().clean() && !HAYPILE_CANARY(pile_mark_forgotten)) {
      pile.redelivered = true;
    }
    for (std::size_t e = 0; e < pile.extents.size(); ++e) {
      const Extent& extent = pile.extents[e];
      const bool is_there = state_.catalog.has_queue(extent.queue);
      for (std::uint32_t i = extent.first; i < extent.first + extent.count && !is_there; ++i)
        pile.drop(i);
      if (!is_there) continue;
      report_.message_counts[state_.catalog.queue(extent.queue).name] += pile.live_count_in(e);
    }
  });
}

void Replay::hand_over_messages() {
  reader_.each_message(
      [this](LogPosition, engine::QueueId queue, const engine::MessageView&) {
        return state_.catalog.has_queue(queue);
      },
      [this](LogPosition position, const engine::MessageView& message,
             std::span<const engine::RecoveredRef> refs) {
        for (const engine::RecoveredRef& ref : refs)
          ++report_.message_counts[state_.catalog.queue(ref.queue).name];
        SegmentUse& use = state_.segments[position / state_.segment_size - state_.first_segment];
        use.live_count += refs.size();
        use.pile_bytes += pile_size_max(message, refs.size());
        recovery_.message(position, message, refs);
      });
}

void Replay::fill_report() {
  const LogReader::End& end = reader_.end();
  report_.segment_count = reader_.segments().size();
  report_.record_count = end.record_count;
  report_.torn_bytes = end.torn_bytes;
  report_.torn_reason = end.torn_reason;
  report_.clean = reader_.live_messages().clean();
}

// The records are read twice. The first time, LogReader learns which messages are left, and which
// definitions. These are complete then, and go to the engine. The second time, the messages that
// are still in a queue go to the engine. So only a few bytes for each queued message stay in memory
// in between, never the messages.
LogState Replay::run(std::uint64_t segment_size, const ReplayCalls& calls) {
  reader_.find_files();
  Checkpoint& checkpoint = reader_.checkpoint();
  state_.has_checkpoint = reader_.has_checkpoint();
  state_.newest = reader_.newest();
  state_.first_segment = checkpoint.first_segment;
  if (HAYPILE_CANARY(moved_ignored)) checkpoint.moved = 0;
  if (reader_.segments().empty()) {
    state_.segment_size = segment_size;
    state_.is_new = true;
    state_.segments = {{}};
    return std::move(state_);
  }
  check_piles();
  read_records();
  state_.moved = checkpoint.moved;
  state_.catalog = std::move(checkpoint.catalog);
  state_.piles = std::move(checkpoint.piles);
  state_.segment_size = reader_.segment_size();
  state_.segments.assign(reader_.segments().size(), {});
  state_.version = reader_.segments().back().version;
  state_.offset = reader_.segments().back().used_bytes;
  state_.sealed = reader_.end().is_sealed;
  state_.epoch = reader_.end().epoch;
  if (calls.on_clock) {
    calls.on_clock({.offset_ms = state_.catalog.clock_offset_ms(), .seen = seen_});
  }
  state_.catalog.emit(recovery_);
  state_.catalog.each_queue(
      [&](const engine::QueueDefinition& queue) { report_.message_counts[queue.name] = 0; });
  count_stored();
  if (calls.before_messages) calls.before_messages(state_);
  hand_over_messages();
  fill_report();
  return std::move(state_);
}

}  // namespace

LogState replay(FileSystem& files, const std::string& directory, const DirectoryId& id,
                std::uint64_t segment_size, engine::Recovery& recovery, RecoveryReport& report,
                const ReplayCalls& calls) {
  const auto started = std::chrono::steady_clock::now();
  LogState state = Replay(files, directory, id, recovery, report).run(segment_size, calls);
  report.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - started);
  return state;
}

}  // namespace haypile::log
