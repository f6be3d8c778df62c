#include "engine/queue.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "engine/channel.hpp"

namespace haypile::engine {

namespace {
// A backlog that expires all at once is dropped in portions: others have work to do, too.
constexpr std::size_t portion = 1000;
// Of a message in hand whose queue has been deleted: the journal has been told.
constexpr StoredId released = std::numeric_limits<StoredId>::max();
}  // namespace

Queue::Queue(QueueDefinition definition, QueueOptions options, OwnerId owner,
             Surroundings& surroundings)
    : definition_(std::move(definition)),
      options_(std::move(options)),
      owner_(owner),
      surroundings_(surroundings),
      ready_(options_.priority_max, definition_.durable, surroundings),
      has_rules_(options_.overflow != Overflow::drop_head || is_timed()),
      guarded_(options_.is_limited() || is_timed()) {}

void Queue::push(const MessagePtr& message) {
  if (message->has_ttl()) guarded_ = true;
  if (guarded_) drop_expired();
  Entry entry{.message = message, .place = next_place_++};
  if (ready_.empty()) {
    if (Consumer* consumer = next_consumer()) {
      ++unacked_count_;
      give(*consumer, std::move(entry));
      return;
    }
  }
  // With something ready nobody has credit: whoever got some would have been given it.
  ready_.push(std::move(entry));
  if (!guarded_) return;
  drop_excess();
  drop_expired();
  arm();
}

void Queue::restore(MessagePtr message, bool redelivered, std::uint32_t delivery_count) {
  if (message->has_ttl()) guarded_ = true;
  ready_.push({.message = std::move(message),
               .place = next_place_++,
               .delivery_count = delivery_count,
               .redelivered = redelivered});
  if (guarded_) arm();
}

bool Queue::pop(Entry& out) {
  while (guarded_ && !drop_expired()) {
  }
  if (ready_.empty()) return false;
  ready_.pop(out);
  ++unacked_count_;
  if (guarded_) {
    drop_expired();
    arm();
  }
  return true;
}

void Queue::requeue(Entry entry) {
  --unacked_count_;
  if (closed_) return forget(entry);
  entry.redelivered = true;
  if (options_.counts_deliveries()) {
    ++entry.delivery_count;
    if (options_.delivery_limit && entry.delivery_count > *options_.delivery_limit) {
      return drop(entry, DeathReason::delivery_limit);
    }
    if (durable() && entry.message->position() != 0) {
      surroundings_.journal.set_delivery_count(copy_of(entry), entry.delivery_count);
    }
  }
  ready_.put_back(std::move(entry));
}

void Queue::settle(const Entry& entry) {
  --unacked_count_;
  forget(entry);
}

void Queue::reject(const Entry& entry) {
  --unacked_count_;
  drop(entry, DeathReason::rejected);
}

std::size_t Queue::purge() {
  const std::size_t count = ready_.size();
  ready_.each_in_memory([this](const Entry& entry) { forget(entry); });
  if (!closed_) ready_.drop_backlogs();
  ready_.clear();
  return count;
}

void Queue::forget(const Entry& entry) {
  if (!durable() || entry.message->position() == 0 || entry.stored == released) return;
  if (closed_) {
    surroundings_.journal.release(copy_of(entry));
  } else {
    surroundings_.journal.ack(copy_of(entry));
  }
}

void Queue::restore_backlog(std::uint8_t priority, Backlog& backlog) {
  next_place_ = std::max(next_place_, backlog.last_place() + 1);
  ready_.add_backlog(priority, backlog);
  guarded_ = guarded_ || backlog.is_timed();
  if (guarded_) arm();
}

void Queue::move_out(LogPosition boundary, std::vector<Entry*>& in_hand) {
  if (closed_) {
    for (Entry* entry : in_hand) {
      forget(*entry);
      entry->stored = released;
    }
    return;
  }
  std::vector<Entry*> of_level;
  for (unsigned priority = 0; priority <= ready_.priority_max(); ++priority) {
    of_level.clear();
    std::ranges::copy_if(in_hand, std::back_inserter(of_level), [&](const Entry* entry) {
      return ready_.level_of(*entry->message) == priority;
    });
    ready_.move_out(static_cast<std::uint8_t>(priority), definition_.id, boundary, of_level);
  }
}

void Queue::add_consumer(Consumer& consumer) {
  line_.add(consumer);
  exclusive_consumer_ = consumer.options().exclusive;
  if (options_.single_active_consumer && !active_) active_ = &consumer;
  if (options_.expires_ms && line_.size() == 1 && durable()) {
    surroundings_.journal.set_unused_since(definition_.id, 0);
  }
}

void Queue::remove_consumer(Consumer& consumer) {
  line_.remove(consumer);
  if (consumer.options().exclusive) exclusive_consumer_ = false;
  if (&consumer == active_) active_ = line_.front();
  if (line_.size() == 0) touch();
}

void Queue::wake(Consumer& consumer) {
  if (!consumer.in_line() && consumer.has_credit()) line_.rejoin(consumer);
}

Consumer* Queue::next_consumer() {
  if (options_.single_active_consumer) {
    return active_ && active_->has_credit() ? active_ : nullptr;
  }
  while (Consumer* consumer = line_.front()) {
    if (consumer->has_credit()) return consumer;
    line_.leave(*consumer);
  }
  return nullptr;
}

// `consumer` is what next_consumer() gave.
void Queue::give(Consumer& consumer, Entry&& entry) {
  consumer.channel().deliver(consumer, std::move(entry));
  if (options_.single_active_consumer) return;
  if (consumer.has_credit()) {
    line_.rotate(consumer);
  } else {
    line_.leave(consumer);
  }
}

void Queue::dispatch() {
  if (guarded_) {
    drop_excess();
    if (!drop_expired()) return arm();
  }
  while (!ready_.empty()) {
    Consumer* consumer = next_consumer();
    if (!consumer) break;
    ++unacked_count_;
    Entry entry;
    ready_.pop(entry);
    give(*consumer, std::move(entry));
    if (guarded_ && !drop_expired()) break;
  }
  if (guarded_) arm();
}

bool Queue::is_full_for(std::size_t body_size) {
  drop_expired();
  return ready_.size() + 1 > options_.length_max ||
         body_size >
             options_.length_max_bytes - std::min(ready_.bytes(), options_.length_max_bytes);
}

TimeMs Queue::expiry(const Message& message) const {
  if (message.published_at() == 0) return no_deadline;
  const TimeMs by_queue =
      options_.message_ttl_ms ? message.published_at() + *options_.message_ttl_ms : no_deadline;
  return std::min(by_queue, message.expires_at());
}

bool Queue::drop_expired() {
  std::size_t count = 0;
  ready_.pop_while(
      [&](const Entry& entry) {
        return expiry(*entry.message) <= surroundings_.now && count++ < portion;
      },
      [&](const Entry& entry) { drop(entry, DeathReason::expired); });
  return count <= portion;
}

// Whoever refuses new messages never has too many, but for those that come back.
void Queue::drop_excess() {
  if (options_.overflow != Overflow::drop_head) return;
  while (ready_.size() > options_.length_max || ready_.bytes() > options_.length_max_bytes) {
    Entry entry;
    ready_.pop(entry);
    drop(entry, DeathReason::maxlen);
  }
}

void Queue::drop(const Entry& entry, DeathReason reason) {
  if (closed_ || !options_.dead_letter_exchange) {
    forget(entry);
  } else {
    surroundings_.dead_letters.push_back({this, entry, reason});
  }
}

void Queue::arm() {
  if (closed_) return;
  TimeMs deadline = no_deadline;
  ready_.each_front(
      [&](const Entry& entry) { deadline = std::min(deadline, expiry(*entry.message)); });
  if (options_.expires_ms && line_.size() == 0) {
    deadline = std::min(deadline, used_at_ + *options_.expires_ms);
  }
  surroundings_.timers.arm(*this, timer_, deadline);
}

void Queue::note_use() {
  if (closed_) return;
  used_at_ = surroundings_.now;
  if (durable() && line_.size() == 0) {
    surroundings_.journal.set_unused_since(definition_.id, used_at_);
  }
  arm();
}

void Queue::restore_unused_since(TimeMs time) {
  if (!options_.expires_ms) return;
  used_at_ = time != 0 ? time : surroundings_.now;
  arm();
}

void Queue::on_deadline() {
  surroundings_.timers.disarm(*this, timer_);
  dispatch();
  arm();
}

bool Queue::is_overdue() const {
  return options_.expires_ms && line_.size() == 0 &&
         used_at_ + *options_.expires_ms <= surroundings_.now;
}

std::vector<Consumer*> Queue::close() {
  closed_ = true;
  purge();
  surroundings_.timers.disarm(*this, timer_);
  active_ = nullptr;
  return line_.take_all();
}

void Queue::mark_delivered() {
  if (!durable()) return;
  ready_.each_in_memory([this](const Entry& entry) {
    if (entry.redelivered && entry.message->position() != 0) {
      surroundings_.journal.mark_delivered(copy_of(entry));
    }
  });
}

}  // namespace haypile::engine
