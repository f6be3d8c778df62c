#include "engine/ready_messages.hpp"

#include <algorithm>
#include <utility>

namespace haypile::engine {

unsigned ReadyMessages::top_priority() const {
  if (!has_levels()) return 0;
  std::size_t word = used_.size() - 1;
  while (used_[word] == 0)
    --word;
  return static_cast<unsigned>(word * 64) + static_cast<unsigned>(std::bit_width(used_[word])) - 1;
}

ReadyMessages::Level& ReadyMessages::use_level(std::uint8_t priority) {
  used_[priority / 64] |= std::uint64_t{1} << (priority % 64);
  if (priority == 0) return lowest_;
  auto& level = higher_[priority - 1u];
  if (!level) level = std::make_unique<Level>();
  return *level;
}

void ReadyMessages::pop(unsigned priority, Entry& out) {
  Level& from = level(priority);
  take_front(from, out);
  note_if_empty(priority);
}

void ReadyMessages::take_other(Level& level, Entry& out) {
  if (level.returned_is_first()) {
    out = std::move(level.returned.begin()->second);
    level.returned.erase(level.returned.begin());
    return;
  }
  level.read.pop(out);
  read_on(level);
}

// Keeps to what Level says of `read`.
void ReadyMessages::read_on(Level& level) {
  while (level.read.empty() && level.backlog && level.backlog->unread_count() > 0) {
    const std::size_t unread_before = level.backlog->unread_count();
    std::size_t count = 0;
    level.backlog->read([&](const StoredMessage& stored) {
      Entry entry{.message = Message::make(stored.message,
                                           surroundings_.wire.traits(stored.message.properties),
                                           stored.position, surroundings_.memory),
                  .place = stored.place,
                  .stored = stored.id,
                  .delivery_count = stored.delivery_count,
                  .redelivered = stored.redelivered};
      bytes_ += entry.message->body().size();
      level.read.add(std::move(entry));
      ++count;
    });
    // Nothing is lost by the difference: the journal could not read on, and keeps nothing any more.
    size_ -= unread_before - level.backlog->unread_count() - count;
  }
}

std::size_t ReadyMessages::bytes() const {
  std::size_t bytes = bytes_;
  for_each_used([&](unsigned priority) {
    if (Backlog* backlog = level(priority).backlog) bytes += backlog->unread_bytes();
  });
  return bytes;
}

void ReadyMessages::add_backlog(std::uint8_t priority, Backlog& backlog) {
  Level& level = has_levels() ? use_level(priority) : lowest_;
  level.backlog = &backlog;
  size_ += backlog.unread_count();
  read_on(level);
  note_if_empty(priority);
}

void ReadyMessages::drop_backlogs() {
  for_each_used([this](unsigned priority) {
    Backlog* backlog = level(priority).backlog;
    if (!backlog) return;
    size_ -= backlog->unread_count();
    backlog->drop_unread();
  });
}

void ReadyMessages::forget_backlogs() {
  for_each_used([this](unsigned priority) {
    Backlog*& backlog = level(priority).backlog;
    if (backlog) size_ -= backlog->unread_count();
    backlog = nullptr;
  });
}

void ReadyMessages::clear() {
  for_each_used([this](unsigned priority) {
    Level& level = this->level(priority);
    level.returned.clear();
    level.read.clear();
    level.backlog = nullptr;
    for (const Entry& entry : level.fresh) {
      if (is_movable(entry)) surroundings_.movable_bytes -= memory_of(entry);
    }
    level.fresh.clear();
  });
  used_ = {};
  size_ = 0;
  bytes_ = 0;
}

namespace {

bool is_before(const Entry& entry, LogPosition boundary) {
  return entry.stored == 0 && entry.message->position() != 0 &&
         entry.message->position() < boundary;
}

CopyToStore copy_to_store(const Entry& entry, QueueId queue, std::uint8_t priority,
                          bool stays_in_memory) {
  return {.queue = queue,
          .position = entry.message->position(),
          .priority = priority,
          .place = entry.place,
          .delivery_count = entry.delivery_count,
          .redelivered = entry.redelivered,
          .stays_in_memory = stays_in_memory,
          .is_timed = entry.message->has_ttl(),
          .message = entry.message->view()};
}

}  // namespace

void ReadyMessages::move_out(std::uint8_t priority, QueueId queue, LogPosition boundary,
                             std::vector<Entry*>& in_hand) {
  Level* level = priority == 0 ? &lowest_ : higher_[priority - 1u].get();
  if (level) {
    for (auto& [place, entry] : level->returned) {
      if (is_before(entry, boundary)) in_hand.push_back(&entry);
    }
  }
  std::ranges::sort(in_hand, {}, &Entry::place);
  for (Entry* entry : in_hand)
    entry->stored = surroundings_.journal.store(copy_to_store(*entry, queue, priority, true));
  if (level) store_fresh(*level, priority, queue, boundary);
}

// Positions rise with the places, but for messages that have none: those that stood between others
// now stand alone.
void ReadyMessages::store_fresh(Level& level, std::uint8_t priority, QueueId queue,
                                LogPosition boundary) {
  std::size_t last = level.fresh.size();
  while (last > 0 && !is_before(level.fresh[last - 1], boundary))
    --last;
  if (last == 0) return;
  for (; last > 0; --last) {
    Entry entry;
    take_fresh(level, entry);
    if (entry.message->position() == 0) {
      const std::uint64_t place = entry.place;
      level.returned.emplace(place, std::move(entry));
      continue;
    }
    bytes_ -= entry.message->body().size();
    surroundings_.journal.store(copy_to_store(entry, queue, priority, false));
  }
  level.backlog = &surroundings_.journal.backlog(queue, priority);
}

void ReadyMessages::moved_out() {
  for (unsigned priority = 0; priority <= higher_.size(); ++priority) {
    if (priority != 0 && !higher_[priority - 1]) continue;
    read_on(level(priority));
    note_if_empty(priority);
  }
}

}  // namespace haypile::engine
