// The second generation: what stays long moves from the log to piles.
#include <algorithm>
#include <cassert>

#include "engine/canary.hpp"
#include "log/log.hpp"
#include "log/record.hpp"

namespace haypile::log {

namespace {
// Piles that are still being written: more would only pile up in memory.
constexpr std::size_t pending_piles_max = 2;
// Shortness of memory alone moves no less than this, in bytes of the log.
constexpr std::uint64_t move_size_min = 1u << 20;
}  // namespace

QueueBacklog& Log::backlog_of(engine::QueueId queue, std::uint8_t priority) {
  auto& place = backlogs_[{queue, priority}];
  QueueBacklog::Host& host = *this;
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
  if (pile_to_store_ || pending_piles_.size() >= pending_piles_max) return 0;
  const LogPosition durable_now = durable();
  const std::size_t ring = ring_segments();
  // What is there has to fit into the reserve as piles: a message in many queues takes more there.
  if (copy_bytes_ > reserve_size() / 4 * 3 && durable_now > moved_) return durable_now;
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
  builder_.emplace(number, number, id_, std::exchange(pile_buffer_, {}));
  append_mark(batch_, RecordType::move);
  moved_ = boundary;
}

engine::StoredId Log::store(const engine::CopyToStore& copy) {
  const std::uint32_t index = builder_->add(copy);
  if (unread_.size() < builder_->extents().size()) unread_.push_back({.first = index});
  if (copy.stays_in_memory) {
    unread_.back().first = index + 1;
  } else {
    unread_.back().bytes += copy.message.body.size();
  }
  leave(copy.position);
  return Piles::id(piles_.end(), index);
}

void Log::end_move() {
  if (builder_->count() > 0) {
    const auto bytes = std::make_shared<std::string>(builder_->finish());
    const Piles::Slot slot = piles_.add({.number = builder_->file(),
                                         .file = builder_->file(),
                                         .size = bytes->size(),
                                         .extents = builder_->extents(),
                                         .count = builder_->count(),
                                         .bytes = bytes});
    for (std::size_t i = 0; i < unread_.size(); ++i) {
      const Extent& extent = builder_->extents()[i];
      backlog_of(extent.queue, extent.priority)
          .add(slot, extent, unread_[i].first, unread_[i].bytes);
    }
    pending_piles_.push_back(slot);
    pending_pile_bytes_ += bytes->size();
    pile_to_store_ = StorePile{builder_->file(), bytes};
  }
  if (builder_->count() == 0) pile_buffer_ = builder_->finish();
  unread_.clear();
  builder_.reset();
}

void Log::hand_over_pile() {
  is_checkpoint_due_ = true;
  if (piles_.has(pending_piles_.back())) {
    piles_.at(pending_piles_.back()).checkpoint = checkpoint_count_ + 1;
  }
  hand_over({std::move(*pile_to_store_), 0});
  pile_to_store_.reset();
}

// What a checkpoint on disk names is read from disk from now on.
void Log::release_bytes() {
  const std::uint64_t done = pending_piles_.empty() ? 0 : keeper_->checkpoint_count();
  while (!pending_piles_.empty()) {
    const Piles::Slot slot = pending_piles_.front();
    if (piles_.has(slot)) {
      Pile& pile = piles_.at(slot);
      if (pile.checkpoint == 0 || pile.checkpoint > done) return;
      pending_pile_bytes_ -= pile.size;
      if (pile.bytes.use_count() == 1) pile_buffer_ = std::move(*pile.bytes);
      pile.bytes.reset();
    }
    pending_piles_.pop_front();
    if (pending_piles_.empty()) pending_pile_bytes_ = 0;
  }
}

// `size`: of the message, if it is one; 0 if it is not known.
void Log::drop(Piles::Slot slot, std::uint32_t first, std::uint32_t count, std::size_t size) {
  Pile& pile = piles_.at(slot);
  if (pile.live_count() == 0) return;
  for (std::uint32_t index = first; index < first + count; ++index)
    dropped_bytes_ += pile.drop(index, size);
  pile.last_drop = checkpoint_count_;
  if (pile.live_count() == 0) empty_piles_.push_back(slot);
}

void Log::drop_stored(Piles::Slot slot, std::uint32_t first, std::uint32_t count,
                      std::size_t size) {
  make_room(stored_size_max);
  append_stored(batch_, RecordType::drop_stored, piles_.at(slot).number, first, count,
                next_position());
  drop(slot, first, count, size);
}

void Log::drop_unread(Piles::Slot slot, std::uint32_t first, std::uint32_t count) {
  const Pile& pile = piles_.at(slot);
  if (pile.bytes) ack_unread(pile, first, first + count);
  drop_stored(slot, first, count);
}

void Log::ack_unread(const Pile& pile, std::uint32_t first, std::uint32_t end) {
  const Extent& extent = *std::ranges::find_if(pile.extents, [&](const Extent& each) {
    return first >= each.first && first - each.first < each.count;
  });
  for (std::uint64_t offset = extent.offset; offset < extent.offset + extent.size;) {
    std::string_view bytes;
    const Block block = pile_reader_.block(pile, offset, bytes);
    BlockReader reader(block, bytes, pile.file, offset, id_);
    engine::StoredMessage message;
    std::uint32_t index = 0;
    while (reader.next(message, index)) {
      if (index < first || index >= end || pile.gone.contains(index)) continue;
      make_room(message_record_size_max);
      append_message_record(batch_, RecordType::ack, extent.queue, message.position,
                            next_position());
    }
    offset += block.size();
  }
}

// Until a checkpoint has the pile, a recovery finds the message in the log.
void Log::ack_stored(const engine::Copy& copy) {
  const Piles::Slot slot = Piles::slot_of(copy.stored);
  make_room(stored_size_max + message_record_size_max);
  if (piles_.at(slot).bytes && !HAYPILE_CANARY(young_ack_left_out)) {
    append_message_record(batch_, RecordType::ack, copy.queue, copy.message, next_position());
  }
  drop_stored(slot, Piles::index_of(copy.stored), 1, copy.size);
}

void Log::note_stored(const engine::Copy& copy, std::uint32_t count) {
  Pile& pile = piles_.at(Piles::slot_of(copy.stored));
  const std::uint32_t index = Piles::index_of(copy.stored);
  pile.delivery_counts[index] = count;
  make_room(stored_size_max + delivery_count_size_max);
  append_stored(batch_, RecordType::note_stored, pile.number, index, count, next_position());
  if (!pile.bytes) return;
  if (count == 0) {
    append_message_record(batch_, RecordType::mark_delivered, copy.queue, copy.message,
                          next_position());
  } else {
    append_delivery_count(batch_, copy.queue, copy.message, count, next_position());
  }
}

// Keeps what is known of how often it came back.
void Log::mark_stored(const engine::Copy& copy) {
  const Pile& pile = piles_.at(Piles::slot_of(copy.stored));
  const auto count = pile.delivery_counts.find(Piles::index_of(copy.stored));
  note_stored(copy, count == pile.delivery_counts.end() ? 0 : count->second);
}

void Log::forget_queue(engine::QueueId queue) {
  const auto first = backlogs_.lower_bound({queue, 0});
  auto last = first;
  for (; last != backlogs_.end() && last->first.first == queue; ++last) {
    last->second->each_range([this](Piles::Slot slot, std::uint32_t from, std::uint32_t count) {
      if (piles_.has(slot)) drop(slot, from, count);
    });
  }
  backlogs_.erase(first, last);
}

}  // namespace haypile::log
