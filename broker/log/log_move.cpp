// The second generation: what stays long moves from the log to piles.
#include <algorithm>
#include <cassert>
#include <iterator>

#include "engine/canary.hpp"
#include "log/log.hpp"
#include "log/record.hpp"

namespace haypile::log {

namespace {
// Piles that no checkpoint on disk names yet, and portions of them that have not been written: more
// would only pile up in memory.
constexpr std::size_t young_piles_max = 2;
constexpr std::size_t unwritten_portions_max = 8;
// Parts are about as large as the one before: by so much they may be larger.
constexpr std::size_t part_size_slack = 8u << 10;
// Shortness of memory alone moves no less than this, in bytes of the log.
constexpr std::uint64_t move_size_min = 1u << 20;
}  // namespace

QueueBacklog& Log::backlog_of(engine::QueueId queue, std::uint8_t priority) {
  auto& place = backlogs_[{queue, priority}];
  QueueBacklog::Owner& host = *this;
  if (!place) place = std::make_unique<QueueBacklog>(piles_, pile_reader_, host);
  return *place;
}

// Hands over what recovery found in piles.
void Log::restore(LogState& state, engine::Recovery& recovery) {
  moved_ = state.moved;
  piles_ = std::move(state.piles);
  piles_.each([&](Piles::Slot slot, const Pile& pile) {
    if (pile.live_count() == 0) empty_piles_.push_back(slot);
    for (std::size_t i = 0; i < pile.extents.size(); ++i) {
      const Extent& extent = pile.extents[i];
      if (state.catalog.has_queue(extent.queue))
        backlog_of(extent.queue, extent.priority).restore(slot, i);
    }
  });
  for (const auto& [key, backlog] : backlogs_) {
    if (backlog->unread_count() > 0) recovery.backlog(key.first, key.second, *backlog);
  }
}

LogPosition Log::move_boundary(bool is_memory_short) const {
  if (builder_ || young_piles_.size() >= young_piles_max) return 0;
  const LogPosition durable_now = durable();
  const std::size_t ring = ring_segments();
  // What is there has to fit into the reserve as piles.
  if (pile_bytes_ > reserve_size() / 4 * 3 && durable_now > moved_) return durable_now;
  // There is always one segment to go on with.
  if (segments_.size() + 1 >= ring && segments_.front().live_count != 0) {
    const LogPosition boundary = std::min(durable_now, (first_segment_ + ring / 4) * segment_size_);
    if (boundary > moved_) return is_memory_short ? durable_now : boundary;
  }
  const std::uint64_t worthwhile = std::min(move_size_min, segment_size_ / 2);
  return is_memory_short && durable_now >= moved_ + worthwhile ? durable_now : 0;
}

// The record gives the pile a number that no other one will ever have.
void Log::begin_move(LogPosition boundary) {
  assert(group_ == Group::none && !builder_);
  make_room(1);
  const LogPosition number = next_position();
  append_mark(batch_, RecordType::move);
  std::string buffer;
  buffer.reserve(part_size_ + part_size_slack);
  builder_.emplace(number, number, id_, std::move(buffer));
  boundary_ = boundary;
  open_pile_ = piles_.add({.number = number, .file = number, .is_open = true, .is_young = true});
}

bool Log::takes_more() const {
  return builder_->part_size() < options_.portion_size &&
         unwritten_bytes_ < unwritten_portions_max * options_.portion_size;
}

engine::StoredId Log::store(const engine::MessageToStore& copy) {
  const std::uint32_t index = builder_->add(copy);
  const std::size_t extent = builder_->extents().size() - 1;
  if (portion_.empty() || portion_.back().extent != extent) {
    portion_.push_back({.extent = extent, .first = index});
  }
  QueueBacklog::Part& unread = portion_.back().unread;
  if (!copy.stays_in_memory) {
    if (unread.unread++ == 0) {
      unread = {.slot = open_pile_,
                .offset = builder_->block_offset(),
                .first = index,
                .unread = 1,
                .place = copy.place};
    }
    unread.end = index + 1;
    *unread.body_bytes += copy.message.body.size();
  }
  // Its segment stays until the pile is whole.
  ++segment_of(copy.position).moved_count;
  return Piles::id(open_pile_, index);
}

void Log::end_portion() {
  if (builder_->part_size() == 0 || builder_->count() == 0) return;
  store_part(false);
  piles_.grow(open_pile_, builder_->extents(), builder_->count());
  for (const UnstoredPart& each : portion_) {
    const Extent& extent = builder_->extents()[each.extent];
    backlog_of(extent.queue, extent.priority).add(open_pile_, each.first, extent, each.unread);
  }
  portion_.clear();
  if (HAYPILE_CANARY(portion_leaves_log)) leave_segments();
}

// What was put together since, and whether it is the end of the file.
void Log::store_part(bool is_last) {
  Pile& pile = piles_.at(open_pile_);
  const std::uint64_t offset = builder_->size() - builder_->part_size();
  // The next part will be about as large, if there is more to come.
  std::string buffer;
  if (!is_last) part_size_ = builder_->part_size();
  if (!is_last && part_size_ >= options_.portion_size) {
    buffer.reserve(part_size_ + part_size_slack);
  }
  Unwritten::Part part = pile.unwritten.add(offset, builder_->take(std::move(buffer)));
  pile.size = builder_->size();
  unwritten_bytes_ += part->size();
  hand_over(
      {WritePilePart{pile.file, offset, std::move(part), pile.unwritten.written(), is_last}, 0});
  if (HAYPILE_CANARY(portion_written_early)) pile.unwritten.written()->store(pile.size);
}

// All that was stored leaves the log at once: the next checkpoint has the pile, and says so.
void Log::end_move() {
  end_portion();
  Pile& pile = piles_.at(open_pile_);
  moved_ = boundary_;
  if (builder_->count() == 0) {
    forget_pile(open_pile_);
  } else {
    store_part(true);
    pile.is_open = false;
    pile.checkpoint = checkpoint_count_ + 1;
    is_checkpoint_due_ = true;
    young_piles_.push_back(open_pile_);
    if (pile.live_count() == 0) empty_piles_.push_back(open_pile_);
  }
  builder_.reset();
  leave_segments();
}

// What has moved does not keep segments any more.
void Log::leave_segments() {
  for (SegmentUse& segment : segments_)
    release_in_segment(segment, std::exchange(segment.moved_count, 0));
}

// What has been written, and what a checkpoint on disk names, is read from disk from now on.
void Log::release_parts() {
  const auto trim = [this](Pile& pile) {
    const std::uint64_t before = pile.unwritten.size();
    pile.unwritten.trim();
    unwritten_bytes_ -= before - pile.unwritten.size();
  };
  if (builder_) trim(piles_.at(open_pile_));
  if (young_piles_.empty()) return;
  const std::uint64_t done = maintenance_->checkpoint_count();
  std::erase_if(young_piles_, [&](Piles::Slot slot) {
    if (!piles_.has(slot)) return true;
    Pile& pile = piles_.at(slot);
    trim(pile);
    if (pile.checkpoint <= done) pile.is_young = false;
    return !pile.is_young;
  });
}

// Nothing is left of it.
void Log::forget_pile(Piles::Slot slot) {
  unwritten_bytes_ -= piles_.at(slot).unwritten.size();
  piles_.erase(slot);
}

// `size`: of the message, if it is one; 0 if it is not known.
void Log::drop(Piles::Slot slot, std::uint32_t first, std::uint32_t end, std::size_t size,
               std::optional<std::uint64_t> body_bytes) {
  Pile& pile = piles_.at(slot);
  if (pile.live_count() == 0) return;
  for (std::uint32_t index = first; index < end; ++index)
    dropped_bytes_ += pile.drop(index, size);
  pile.lose_bodies(first, body_bytes);
  pile.last_drop = checkpoint_count_;
  if (pile.live_count() == 0 && !pile.is_open) empty_piles_.push_back(slot);
}

void Log::drop_stored(Piles::Slot slot, std::uint32_t first, std::uint32_t end, std::size_t size,
                      std::optional<std::uint64_t> body_bytes) {
  make_room(stored_size_max);
  append_drop_stored(batch_, piles_.at(slot).number, first, end - first, body_bytes,
                     next_position());
  drop(slot, first, end, size, body_bytes);
}

void Log::drop_unread(Piles::Slot slot, std::uint32_t first, std::uint32_t end,
                      std::optional<std::uint64_t> body_bytes) {
  const Pile& pile = piles_.at(slot);
  if (pile.is_young) ack_unread(pile, first, end);
  drop_stored(slot, first, end, 0, body_bytes);
}

void Log::ack_unread(const Pile& pile, std::uint32_t first, std::uint32_t end) {
  const Extent& extent = pile.extents[*pile.extent_of(first)];
  pile_reader_.each_in_extent(
      pile, extent, [&](const Block&, std::uint32_t index, const engine::StoredMessage& message) {
        if (index < first || pile.gone.contains(index)) return true;
        if (index >= end) return false;
        make_room(message_record_size_max);
        append_message_record(batch_, RecordType::ack, extent.queue, message.position,
                              next_position());
        return true;
      });
}

bool Log::read(engine::StoredId id, const engine::Backlog::Take& take) {
  try {
    Pile& pile = piles_.at(Piles::slot_of(id));
    pile_reader_.visit(pile, Piles::index_of(id), [&](engine::StoredMessage& message) {
      message.id = id;
      take(message);
    });
    return true;
  } catch (const IoError& error) {
    fail(error);
    return false;
  }
}

// If it cannot be read nothing is kept any more.
LogPosition Log::position_of(const engine::QueuedRef& copy) {
  LogPosition position = copy.message;
  if (position != 0) return position;
  read(copy.stored, [&](const engine::StoredMessage& message) { position = message.position; });
  return position;
}

// Until a checkpoint has the pile, a recovery finds the message in the log.
void Log::ack_stored(const engine::QueuedRef& copy) {
  const Piles::Slot slot = Piles::slot_of(copy.stored);
  make_room(stored_size_max + message_record_size_max);
  if (piles_.at(slot).is_young && !HAYPILE_CANARY(young_ack_left_out)) {
    append_message_record(batch_, RecordType::ack, copy.queue, position_of(copy), next_position());
  }
  const std::uint32_t index = Piles::index_of(copy.stored);
  drop_stored(slot, index, index + 1, copy.size, copy.body_size);
}

void Log::note_stored(const engine::QueuedRef& copy, std::uint32_t count) {
  Pile& pile = piles_.at(Piles::slot_of(copy.stored));
  const std::uint32_t index = Piles::index_of(copy.stored);
  pile.delivery_counts[index] = count;
  make_room(stored_size_max + delivery_count_size_max);
  append_note_stored(batch_, pile.number, index, count, next_position());
  if (!pile.is_young) return;
  if (count == 0) {
    append_message_record(batch_, RecordType::mark_delivered, copy.queue, position_of(copy),
                          next_position());
  } else {
    append_delivery_count(batch_, copy.queue, position_of(copy), count, next_position());
  }
}

// Keeps what is known of how often it came back.
void Log::mark_stored(const engine::QueuedRef& copy) {
  const Pile& pile = piles_.at(Piles::slot_of(copy.stored));
  const auto count = pile.delivery_counts.find(Piles::index_of(copy.stored));
  note_stored(copy, count == pile.delivery_counts.end() ? 0 : count->second);
}

// A move that does not come to its end leaves no pile: of what has left memory in it, the log has
// to say itself which messages had been delivered.
void Log::mark_moved() {
  const Pile& pile = piles_.at(open_pile_);
  for (const Extent& extent : pile.extents) {
    pile_reader_.each_in_extent(
        pile, extent, [&](const Block&, std::uint32_t index, const engine::StoredMessage& message) {
          if (!message.redelivered || pile.gone.contains(index)) return true;
          make_room(message_record_size_max);
          append_message_record(batch_, RecordType::mark_delivered, extent.queue, message.position,
                                next_position());
          return true;
        });
  }
}

void Log::forget_queue(engine::QueueId queue) {
  const auto first = backlogs_.lower_bound({queue, 0});
  auto last = first;
  for (; last != backlogs_.end() && last->first.first == queue; ++last) {
    last->second->each_range([this](Piles::Slot slot, std::uint32_t from, std::uint32_t count) {
      if (piles_.has(slot)) drop(slot, from, from + count, 0, std::nullopt);
    });
  }
  backlogs_.erase(first, last);
}

}  // namespace haypile::log
