#include "log/live_messages.hpp"

#include <algorithm>
#include <utility>

#include "engine/canary.hpp"

namespace haypile::log {

namespace {

bool is_seal(const Record& record) {
  const auto* mark = std::get_if<MarkRecord>(&record);
  return mark && mark->type == RecordType::seal;
}

}  // namespace

void LiveMessages::apply(LogPosition position, const Record& record) {
  const bool was_clean = clean_;
  // A start may first seal the segment of an older version. No message has been delivered before.
  clean_ = was_clean && is_seal(record);
  if (const auto* publish = std::get_if<PublishRecord>(&record)) {
    apply_publish(position, *publish);
  } else if (const auto* message = std::get_if<MessageRecord>(&record)) {
    apply_message(*message);
  } else if (const auto* stored = std::get_if<StoredRecord>(&record)) {
    if (position >= position_) apply_stored(*stored);
  } else if (const auto* mark = std::get_if<MarkRecord>(&record)) {
    apply_mark(position, *mark, was_clean);
  }
}

void LiveMessages::apply_publish(LogPosition position, const PublishRecord& record) {
  if (position < moved_) return;
  // look_up() needs them sorted.
  std::vector<engine::QueueId> queues = record.queues;
  if (!std::ranges::is_sorted(queues)) std::ranges::sort(queues);
  for (const engine::QueueId queue : queues)
    change({.kind = Change::Kind::add, .message = position, .queue = queue});
}

void LiveMessages::apply_message(const MessageRecord& record) {
  if (record.message < moved_) return;
  if (record.type == RecordType::ack) {
    change({.kind = Change::Kind::remove, .message = record.message, .queue = record.queue});
  } else if (Queued* held = look_up(record.message, record.queue)) {
    if (record.type == RecordType::delivery_count) {
      held->delivery_count = record.delivery_count;
    } else {
      held->delivered = true;
    }
  }
}

void LiveMessages::apply_stored(const StoredRecord& record) {
  if (record.type == RecordType::drop_stored) {
    return change({.kind = Change::Kind::drop,
                   .message = record.pile,
                   .first = record.first + (HAYPILE_CANARY(dropped_next_one) ? 1 : 0),
                   .count = record.count,
                   .body_bytes = record.body_bytes});
  }
  Pile* pile = piles_.find(record.pile);
  if (pile && record.first < pile->count && !pile->gone.contains(record.first)) {
    pile->delivery_counts[record.first] = record.count;
  }
}

void LiveMessages::apply_mark(LogPosition position, const MarkRecord& record, bool was_clean) {
  switch (record.type) {
    case RecordType::start:
      for (Queued& held : queued_)
        held.delivered = false;
      group_.clear();  // a crash interrupted it
      in_group_ = false;
      if (was_clean || position < position_) break;
      piles_.each([&](Piles::Slot, Pile& pile) {
        if (pile.number < position) pile.redelivered = true;
      });
      break;
    case RecordType::clean_stop:
      clean_ = true;
      break;
    case RecordType::group_begin:
      in_group_ = true;
      break;
    case RecordType::group_end:
      for (const Change& change : group_)
        perform(change);
      group_.clear();
      in_group_ = false;
      break;
    default:
      break;
  }
}

void LiveMessages::break_group() {
  for (const Change& change : group_) {
    if (change.kind == Change::Kind::add) perform(change);
  }
  group_.clear();
  in_group_ = false;
}

// Changes within a group wait in group_ until its end. begin_segment() only resets in_group_ and
// keeps group_: if the next segment begins with a group mark, the group continues and the changes
// are still needed. If any other change comes first, the group was never finished, and its changes
// are dropped. A start, too, drops them.
void LiveMessages::change(const Change& change) {
  if (in_group_) return group_.push_back(change);
  group_.clear();  // the group before does not continue
  perform(change);
}

// The message or pile may not exist: a crash may have left acknowledgements for a pile that was
// never finished, and piles are removed.
void LiveMessages::perform(const Change& change) {
  if (change.kind == Change::Kind::add) {
    queued_.push_back({.message = change.message, .queue = change.queue});
  } else if (change.kind == Change::Kind::remove) {
    if (Queued* held = look_up(change.message, change.queue)) held->gone = true;
  } else if (Pile* pile = piles_.find(change.message)) {
    const std::uint64_t end = std::uint64_t{change.first} + change.count;
    for (std::uint64_t index = change.first; index < std::min<std::uint64_t>(end, pile->count);
         ++index)
      pile->drop(static_cast<std::uint32_t>(index));
    pile->lose_bodies(change.first, change.body_bytes);
  }
}

LiveMessages::Queued* LiveMessages::look_up(LogPosition message, engine::QueueId queue) {
  const auto is_it = [&](const Queued& held) {
    return held.message == message && held.queue == queue;
  };
  if (next_ >= queued_.size() || !is_it(queued_[next_])) {
    const auto place = [](const Queued& held) { return std::pair(held.message, held.queue); };
    const auto found = std::ranges::lower_bound(queued_, std::pair(message, queue), {}, place);
    if (found == queued_.end() || !is_it(*found)) return nullptr;
    next_ = static_cast<std::size_t>(found - queued_.begin());
  }
  return &queued_[next_++];
}

std::optional<engine::RecoveredRef> LiveMessages::find(LogPosition message, engine::QueueId queue) {
  const Queued* held = look_up(message, queue);
  if (!held || held->gone) return std::nullopt;
  return engine::RecoveredRef{
      .queue = queue,
      .redelivered = !clean_ || held->delivered || held->delivery_count != 0,
      .delivery_count = held->delivery_count};
}

}  // namespace haypile::log
