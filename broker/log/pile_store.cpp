#include "log/pile_store.hpp"

#include "engine/canary.hpp"
#include "log/record.hpp"

namespace haypile::log {

void PileStore::restore(Piles piles, const Catalog& catalog, engine::Recovery& recovery) {
  piles_ = std::move(piles);
  piles_.each([&](Piles::Slot slot, const Pile& pile) {
    if (pile.live_count() == 0) note_empty(slot);
    for (std::size_t i = 0; i < pile.extents.size(); ++i) {
      const Extent& extent = pile.extents[i];
      if (catalog.has_queue(extent.queue)) backlog(extent.queue, extent.priority).restore(slot, i);
    }
  });
  for (const auto& [key, backlog] : backlogs_) {
    if (backlog->unread_count() > 0) recovery.backlog(key.first, key.second, *backlog);
  }
}

QueueBacklog& PileStore::backlog(engine::QueueId queue, std::uint8_t priority) {
  auto& backlog = backlogs_[{queue, priority}];
  QueueBacklog::Owner& owner = *this;
  if (!backlog) backlog = std::make_unique<QueueBacklog>(piles_, reader_, owner);
  return *backlog;
}

QueueBacklog* PileStore::find_backlog(engine::QueueId queue, std::uint8_t priority) {
  const auto found = backlogs_.find({queue, priority});
  return found == backlogs_.end() ? nullptr : found->second.get();
}

// `size` is that of the message if there is one only; 0 if it is not known.
void PileStore::drop(Piles::Slot slot, std::uint32_t first, std::uint32_t end, std::size_t size,
                     std::optional<std::uint64_t> body_bytes) {
  Pile& pile = piles_.at(slot);
  if (pile.live_count() == 0) return;
  for (std::uint32_t index = first; index < end; ++index)
    dropped_bytes_ += pile.drop(index, size);
  pile.lose_bodies(first, body_bytes);
  pile.last_drop = checkpoints_.count;
  if (pile.live_count() == 0 && !pile.is_open) note_empty(slot);
}

void PileStore::drop_logged(Piles::Slot slot, std::uint32_t first, std::uint32_t end,
                            std::size_t size, std::optional<std::uint64_t> body_bytes) {
  appender_.append_drop_stored(piles_.at(slot).number, first, end - first, body_bytes);
  drop(slot, first, end, size, body_bytes);
}

void PileStore::drop_unread(Piles::Slot slot, std::uint32_t first, std::uint32_t end,
                            std::optional<std::uint64_t> body_bytes) {
  const Pile& pile = piles_.at(slot);
  if (pile.is_young) ack_unread(pile, first, end);
  drop_logged(slot, first, end, 0, body_bytes);
}

// Only the pile has the positions of its messages.
void PileStore::ack_unread(const Pile& pile, std::uint32_t first, std::uint32_t end) {
  const Extent& extent = pile.extents[*pile.extent_of(first)];
  reader_.each_in_extent(
      pile, extent, [&](const Block&, std::uint32_t index, const engine::StoredMessage& message) {
        if (index < first || pile.gone.contains(index)) return true;
        if (index >= end) return false;
        appender_.append_message_record(RecordType::ack, extent.queue, message.position);
        return true;
      });
}

bool PileStore::read(engine::StoredId id, const engine::Backlog::Take& take) {
  try {
    Pile& pile = piles_.at(Piles::slot_of(id));
    reader_.visit(pile, Piles::index_of(id), [&](engine::StoredMessage& message) {
      message.id = id;
      take(message);
    });
    return true;
  } catch (const IoError& error) {
    fail(error);
    return false;
  }
}

// If the message cannot be read the log has failed, and what is returned will not be written.
LogPosition PileStore::position_of(const engine::QueuedRef& message) {
  LogPosition position = message.message;
  if (position != 0) return position;
  read(message.stored, [&](const engine::StoredMessage& stored) { position = stored.position; });
  return position;
}

// Makes room for both records at once, so that they are in one batch.
void PileStore::ack(const engine::QueuedRef& message) {
  const Piles::Slot slot = Piles::slot_of(message.stored);
  appender_.make_room(stored_size_max + message_record_size_max);
  if (piles_.at(slot).is_young && !HAYPILE_CANARY(young_ack_left_out)) {
    appender_.append_message_record(RecordType::ack, message.queue, position_of(message));
  }
  const std::uint32_t index = Piles::index_of(message.stored);
  drop_logged(slot, index, index + 1, message.size, message.body_size);
}

void PileStore::set_delivery_count(const engine::QueuedRef& message, std::uint32_t count) {
  Pile& pile = piles_.at(Piles::slot_of(message.stored));
  const std::uint32_t index = Piles::index_of(message.stored);
  pile.delivery_counts[index] = count;
  appender_.make_room(stored_size_max + delivery_count_size_max);
  appender_.append_note_stored(pile.number, index, count);
  if (!pile.is_young) return;
  if (count == 0) {
    appender_.append_message_record(RecordType::mark_delivered, message.queue,
                                    position_of(message));
  } else {
    appender_.append_delivery_count(message.queue, position_of(message), count);
  }
}

// The record has a delivery count, too: the one that is known stays.
void PileStore::mark_delivered(const engine::QueuedRef& message) {
  const Pile& pile = piles_.at(Piles::slot_of(message.stored));
  const auto count = pile.delivery_counts.find(Piles::index_of(message.stored));
  set_delivery_count(message, count == pile.delivery_counts.end() ? 0 : count->second);
}

void PileStore::forget_queue(engine::QueueId queue) {
  const auto first = backlogs_.lower_bound({queue, 0});
  auto last = first;
  for (; last != backlogs_.end() && last->first.first == queue; ++last) {
    last->second->each_range([this](Piles::Slot slot, std::uint32_t from, std::uint32_t count) {
      if (piles_.has(slot)) drop(slot, from, from + count, 0, std::nullopt);
    });
  }
  backlogs_.erase(first, last);
}

Unwritten::Part PileStore::add_unwritten(Piles::Slot slot, std::uint64_t offset,
                                         std::string bytes) {
  Unwritten::Part part = piles_.at(slot).unwritten.add(offset, std::move(bytes));
  unwritten_bytes_ += part->size();
  return part;
}

void PileStore::trim_unwritten(Piles::Slot slot) {
  Unwritten& unwritten = piles_.at(slot).unwritten;
  const std::uint64_t before = unwritten.size();
  unwritten.trim();
  unwritten_bytes_ -= before - unwritten.size();
}

std::uint64_t PileStore::empty_bytes() const {
  std::uint64_t bytes = 0;
  for (const Piles::Slot slot : empty_)
    bytes += piles_.at(slot).size;
  return bytes;
}

std::vector<LogPosition> PileStore::take_unused_files() {
  std::vector<LogPosition> files = std::exchange(unused_files_, {});
  for (const Piles::Slot slot : std::exchange(empty_, {})) {
    files.push_back(piles_.at(slot).file);
    forget(slot);
  }
  if (!files.empty()) reader_.close();
  return files;
}

void PileStore::forget(Piles::Slot slot) {
  unwritten_bytes_ -= piles_.at(slot).unwritten.size();
  piles_.erase(slot);
}

std::uint64_t PileStore::live_count() const {
  std::uint64_t count = 0;
  for (Piles::Slot slot = piles_.begin(); slot != piles_.end(); ++slot) {
    if (piles_.has(slot)) count += piles_.at(slot).live_count();
  }
  return count;
}

const char* PileStore::broken_invariant() const {
  std::size_t extent_count = 0;
  std::uint64_t unwritten_bytes = 0;
  for (Piles::Slot slot = piles_.begin(); slot != piles_.end(); ++slot) {
    if (!piles_.has(slot)) continue;
    const Pile& pile = piles_.at(slot);
    if (const char* broken = pile.broken_invariant()) return broken;
    extent_count += pile.extents.size();
    unwritten_bytes += pile.unwritten.size();
  }
  if (extent_count != piles_.extent_count()) return "count of extents";
  if (unwritten_bytes != unwritten_bytes_) return "bytes that wait to be in a pile";
  return nullptr;
}

}  // namespace haypile::log
