#include "engine/ready_messages.hpp"

#include <algorithm>
#include <limits>
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

// Finds the next message when it is not simply the first fresh one. First the backlog is read until
// nothing unread can have a lower place than what is in memory. Then the lowest place is in `fresh`
// (if all other parts are empty), in one of the heaps, or in `read`. Reading may find that the
// backlog has nothing after all (damage), so that the level can become empty here.
bool ReadyMessages::take_other(Level& level, QueuedMessage& out) {
  read_on(level);
  if (level.is_plain()) {
    if (level.fresh.empty()) return false;
    take_fresh(level, out);
  } else if (level.returned_is_first()) {
    PlaceHeap& heap = level.first_returned();
    heap.pop(out);
    if (&heap == &level.unsaved) remove_movable(out);
  } else {
    level.read.pop(out);
  }
  return true;
}

void ReadyMessages::keep_returned(Level& level, QueuedMessage&& entry) {
  if (!is_unsaved(entry)) return level.returned.push(std::move(entry));
  add_movable(entry);
  context_.moves.note(*this, entry.message->position());
  level.unsaved.push(std::move(entry));
}

void ReadyMessages::withhold(QueuedMessage&& entry, std::size_t needed) {
  const std::uint8_t level = level_of(entry);
  const MessageTimes times = entry.message->times();
  const bool is_unsaved = this->is_unsaved(entry);
  if (is_unsaved) {
    add_movable(entry);
    context_.moves.note(*this, entry.message->position());
  }
  leave_memory(entry);
  if (!withheld_) withheld_ = std::make_unique<Withheld>(context_.memory);
  withheld_->add(level, std::move(entry), times, needed, is_unsaved);
}

bool ReadyMessages::take_withheld_if_next(std::size_t properties_max, QueuedMessage& out) {
  const auto standing = withheld_->next_for(properties_max);
  if (!standing) return false;
  if (size_ != 0) {
    const auto top = static_cast<std::uint8_t>(top_priority());
    if (Standing{top, level(top).next_place()}.is_before(*standing)) return false;
  }
  take_withheld(*standing, out);
  return true;
}

void ReadyMessages::take_withheld(const Standing& standing, QueuedMessage& out) {
  withheld_->take(standing, out);
  if (is_unsaved(out)) remove_movable(out);
  if (withheld_->empty()) withheld_.reset();
}

void ReadyMessages::make_absent(QueuedMessage& entry) const {
  entry.absent_level = level_of(entry);
  entry.absent_size = static_cast<std::uint32_t>(entry.message->body().size());
  entry.message = context_.absent;
}

bool ReadyMessages::read_absent(QueuedMessage& entry) const {
  return context_.journal.read(
      entry.stored, [&](const StoredMessage& stored) { entry.message = entry_of(stored).message; });
}

void ReadyMessages::read_on(Level& level) {
  while (level.unread_is_first())
    read(level);
}

// A message whose place is not above those that were read before goes to `returned`, where any
// order will do. Backlogs have places out of order where messages came back and were stored later.
void ReadyMessages::read(Level& level) {
  const std::size_t unread_before = level.backlog->unread_count();
  std::size_t count = 0;
  level.backlog->read(
      [&](const StoredMessage& stored) {
        QueuedMessage entry = entry_of(stored);
        bytes_ += entry.body_size();
        ++count;
        if (level.read.is_behind(entry)) {
          level.read.add(std::move(entry));
        } else {
          level.returned.push(std::move(entry));
        }
      },
      level.read_bytes);
  level.read_bytes = std::min(level.read_bytes * 4, read_bytes_max);
  backlog_changed(level, unread_before - count);
}

QueuedMessage ReadyMessages::entry_of(const StoredMessage& stored) const {
  const MessageTraits traits = context_.property_codec.traits(stored.message.properties);
  MemoryUse& memory = context_.memory;
  QueuedMessage entry{
      .message = stored.is_shared
                     ? Message::make_shared(stored.message, traits, stored.position, memory)
                     : Message::make(stored.message, traits, stored.position, memory),
      .place = stored.place,
      .stored = stored.id,
      .redelivered = stored.redelivered};
  entry.set_delivery_count(stored.delivery_count);
  return entry;
}

void ReadyMessages::peek(Level& level) {
  const std::size_t unread_before = level.backlog->unread_count();
  std::optional<MessageTimes> times;
  level.backlog->peek([&](const StoredMessage& stored) {
    const MessageTraits traits = context_.property_codec.traits(stored.message.properties);
    times = {.published_at = stored.message.published_at,
             .expires_at = traits.ttl_ms == MessageTraits::no_ttl
                               ? std::numeric_limits<TimeMs>::max()
                               : stored.message.published_at + traits.ttl_ms};
  });
  backlog_changed(level, unread_before);
  level.unread_times = times;
}

// The number of ready messages falls by those that could not be read. They need no release: the
// journal has failed and records nothing any more.
void ReadyMessages::backlog_changed(Level& level, std::size_t unread_before) {
  size_ -= unread_before - level.backlog->unread_count();
  level.unread_place = level.backlog->next_place();
  level.unread_times.reset();
}

std::optional<MessageTimes> ReadyMessages::front_times(unsigned priority) {
  Level& level = this->level(priority);
  while (level.unread_is_first()) {
    if (level.unread_times) return level.unread_times;
    peek(level);
  }
  const QueuedMessage* entry = front(level);
  note_if_empty(priority);
  if (!entry) return std::nullopt;
  return entry->message->times();
}

// The first message, brought into memory. Null if there is none, or if it cannot be read.
const QueuedMessage* ReadyMessages::front(Level& level) {
  if (level.is_plain()) return level.fresh.empty() ? nullptr : &level.fresh.front();
  if (!level.returned_is_first()) return &level.read.front();
  QueuedMessage& entry = level.first_returned().front();
  return read_back(entry) ? &entry : nullptr;
}

std::size_t ReadyMessages::bytes() const {
  std::size_t bytes = bytes_ + (withheld_ ? withheld_->bytes() : 0);
  for_each_used([&](unsigned priority) {
    if (Backlog* backlog = level(priority).backlog) bytes += backlog->unread_bytes();
  });
  return bytes;
}

// The first message is examined, so that damage to it is found at the start.
void ReadyMessages::add_backlog(std::uint8_t priority, Backlog& backlog) {
  priority = std::min(priority, priority_max());
  Level& level = has_levels() ? use_level(priority) : lowest_;
  level.backlog = &backlog;
  size_ += backlog.unread_count();
  peek(level);
  note_if_empty(priority);
}

void ReadyMessages::drop_backlogs() {
  for_each_used([this](unsigned priority) {
    Level& level = this->level(priority);
    if (!level.backlog) return;
    size_ -= level.backlog->unread_count();
    level.backlog->drop_unread();
    backlog_changed(level, 0);
  });
}

void ReadyMessages::forget_backlogs() {
  for_each_used([this](unsigned priority) {
    Level& level = this->level(priority);
    if (!level.backlog) return;
    size_ -= level.backlog->unread_count();
    level.backlog = nullptr;
    level.unread_place = Backlog::no_place;
    level.unread_times.reset();
    note_if_empty(priority);
  });
  unlink();  // messages in memory do not move any more
}

void ReadyMessages::clear() {
  for_each_used([this](unsigned priority) {
    Level& level = this->level(priority);
    for (const QueuedMessage& entry : level.unsaved)
      remove_movable(entry);
    level.unsaved.clear();
    level.returned.clear();
    level.read.clear();
    level.backlog = nullptr;
    level.unread_place = Backlog::no_place;
    level.unread_times.reset();
    for (const QueuedMessage& entry : level.fresh) {
      if (is_loggable(entry)) remove_movable(entry);
    }
    level.fresh.clear();
  });
  unlink();
  used_ = {};
  size_ = 0;
  bytes_ = 0;
  QueuedMessage entry;
  while (withheld_)
    take_withheld_if_next(std::numeric_limits<std::size_t>::max(), entry);
}

void ReadyMessages::store(QueuedMessage& entry, std::uint8_t priority, bool stays_in_memory) const {
  entry.stored = context_.journal.store({.queue = queue_,
                                         .position = entry.message->position(),
                                         .priority = priority,
                                         .place = entry.place,
                                         .delivery_count = entry.delivery_count,
                                         .redelivered = entry.redelivered,
                                         .stays_in_memory = stays_in_memory,
                                         .is_timed = entry.message->has_ttl(),
                                         .is_shared = !entry.message.is_only_one(),
                                         .message = entry.message->view()});
}

bool ReadyMessages::move_out(LogPosition boundary, std::size_t& copies_left) {
  bool is_done = !withheld_ || move_withheld(boundary, copies_left);
  for_each_used([&](unsigned priority) {
    is_done = is_done &&
              move_out(level(priority), static_cast<std::uint8_t>(priority), boundary, copies_left);
  });
  return is_done;
}

bool ReadyMessages::may_go_on(std::size_t& copies_left) const {
  if (copies_left == 0 || !context_.journal.takes_more()) return false;
  --copies_left;
  return true;
}

// Withheld messages keep their places here, like unacked ones. Only their contents leave memory.
bool ReadyMessages::move_withheld(LogPosition boundary, std::size_t& copies_left) {
  while (QueuedMessage* entry = withheld_->first_unsaved(boundary)) {
    if (!may_go_on(copies_left)) return false;
    withheld_->saved_first();
    remove_movable(*entry);
    store_popped(*entry);
  }
  return true;
}

// Positions rise with the places, except that messages which were never logged have none. When the
// messages around such a message leave `fresh`, it goes to `returned`, so that messages behind it
// can leave `fresh` and be stored, too.
bool ReadyMessages::move_out(Level& level, std::uint8_t priority, LogPosition boundary,
                             std::size_t& copies_left) {
  QueuedMessage entry;
  while (!level.unsaved.empty() && level.unsaved.front().message->position() < boundary) {
    if (!may_go_on(copies_left)) return false;
    level.unsaved.pop(entry);
    remove_movable(entry);
    move_out(level, priority, entry);
  }
  while (!level.fresh.empty() && level.fresh.front().message->position() < boundary) {
    if (!may_go_on(copies_left)) return false;
    take_fresh(level, entry);
    if (entry.message->position() == 0) {
      level.returned.push(std::move(entry));
    } else {
      move_out(level, priority, entry);
    }
  }
  return true;
}

void ReadyMessages::move_out(Level& level, std::uint8_t priority, QueuedMessage& entry) {
  bytes_ -= entry.body_size();
  store(entry, priority, false);
  if (!level.backlog) level.backlog = &context_.journal.backlog(queue_, priority);
}

void ReadyMessages::moved_out() {
  for (unsigned priority = 0; priority <= higher_.size(); ++priority) {
    if (priority != 0 && !higher_[priority - 1]) continue;
    Level& level = this->level(priority);
    if (!level.backlog) continue;
    backlog_changed(level, level.backlog->unread_count());
    level.read_bytes = read_bytes_min;
    note_if_empty(priority);
  }
}

bool ReadyMessages::has_movable() const {
  if (withheld_ && withheld_->has_unsaved()) return true;
  const auto has = [](const Level& level) {
    return !level.fresh.empty() || !level.unsaved.empty();
  };
  return has(lowest_) ||
         std::ranges::any_of(higher_, [&](const auto& level) { return level && has(*level); });
}

const char* ReadyMessages::broken_invariant() const {
  std::size_t size = 0;
  std::size_t bytes = 0;
  for (unsigned priority = 0; priority <= higher_.size(); ++priority) {
    const bool is_made = priority == 0 || higher_[priority - 1u];
    const bool is_used = (used_[priority / 64] >> (priority % 64) & 1) != 0;
    if (has_levels() && is_used != (is_made && !level(priority).empty())) return "used levels";
    if (!is_made) continue;
    const Level& level = this->level(priority);
    if (const char* broken = broken_invariant(level)) return broken;
    size += level.unsaved.size() + level.returned.size() + level.fresh.size();
    size += static_cast<std::size_t>(level.read.end() - level.read.begin());
    if (!level.backlog) continue;
    if (const char* broken = level.backlog->broken_invariant()) return broken;
    size += level.backlog->unread_count();
  }
  each_in_memory([&](const QueuedMessage& entry) { bytes += entry.body_size(); });
  if (withheld_ && withheld_->empty()) return "what is withheld";
  if (size != size_) return "count of ready messages";
  if (bytes != bytes_ + (withheld_ ? withheld_->bytes() : 0)) return "bytes of ready messages";
  return nullptr;
}

const char* ReadyMessages::broken_invariant(const Level& level) const {
  constexpr std::uint64_t none = Backlog::no_place;
  if (!level.unsaved.is_in_order() || !level.returned.is_in_order() ||
      !std::ranges::is_sorted(level.read, {}, &QueuedMessage::place) ||
      !std::ranges::is_sorted(level.fresh, {}, &QueuedMessage::place)) {
    return "order of places";
  }
  const auto is_unstored = [&](const QueuedMessage& entry) { return is_unsaved(entry); };
  if (!std::ranges::all_of(level.unsaved, is_unstored) ||
      std::ranges::any_of(level.returned, is_unstored)) {
    return "what came back and was not stored";
  }
  if (level.unread_place != (level.backlog ? level.backlog->next_place() : none)) {
    return "place of what is unread";
  }
  const std::uint64_t fresh = level.fresh.empty() ? none : level.fresh.front().place;
  const auto is_behind = [&](const QueuedMessage& entry) { return entry.place >= fresh; };
  if ((level.unread_place != none && level.unread_place >= fresh) ||
      std::ranges::any_of(level.unsaved, is_behind) ||
      std::ranges::any_of(level.returned, is_behind) ||
      std::ranges::any_of(level.read, is_behind)) {
    return "fresh messages come last";
  }
  if (!is_listed() && (!level.unsaved.empty() || std::ranges::any_of(level.fresh, is_unstored))) {
    return "list of what could move";
  }
  return nullptr;
}

}  // namespace haypile::engine
