#include "engine/queue.hpp"

#include <utility>

#include "engine/channel.hpp"

namespace haypile::engine {

Queue::Queue(QueueDefinition definition, OwnerId owner, Journal& journal)
    : definition_(std::move(definition)), owner_(owner), journal_(journal) {}

void Queue::push(MessagePtr message) {
  Entry entry{std::move(message), next_place_++, false};
  if (ready_count() == 0) {
    if (Consumer* consumer = next_consumer()) {
      ++unacked_count_;
      give(*consumer, std::move(entry));
      return;
    }
  }
  // With something ready nobody has credit: whoever got some would have been given it.
  ready_.push_back(std::move(entry));
}

void Queue::restore(MessagePtr message, bool redelivered) {
  ready_.push_back({std::move(message), next_place_++, redelivered});
}

bool Queue::pop(Entry& out) {
  if (!returned_.empty()) {
    out = std::move(returned_.begin()->second);
    returned_.erase(returned_.begin());
  } else if (!ready_.empty()) {
    out = std::move(ready_.front());
    ready_.pop_front();
  } else {
    return false;
  }
  ++unacked_count_;
  return true;
}

void Queue::requeue(Entry entry) {
  --unacked_count_;
  if (closed_) {
    discard(*entry.message);
    return;
  }
  entry.redelivered = true;
  const std::uint64_t place = entry.place;
  returned_.emplace(place, std::move(entry));
}

void Queue::settle(const Entry& entry) {
  --unacked_count_;
  discard(*entry.message);
}

std::size_t Queue::purge() {
  const std::size_t count = ready_count();
  for (const auto& [place, entry] : returned_)
    discard(*entry.message);
  for (const Entry& entry : ready_)
    discard(*entry.message);
  returned_.clear();
  ready_.clear();
  return count;
}

void Queue::discard(const Message& message) {
  if (!durable() || message.position() == 0) return;
  if (closed_) {
    journal_.release(message.position());
  } else {
    journal_.ack(definition_.id, message.position());
  }
}

void Queue::add_consumer(Consumer& consumer) {
  line_.push_back(&consumer);
  consumer.place_ = std::prev(line_.end());
  consumer.in_line_ = true;
  exclusive_consumer_ = consumer.options().exclusive;
}

void Queue::remove_consumer(Consumer& consumer) {
  (consumer.in_line_ ? line_ : waiting_).erase(consumer.place_);
  if (consumer.options().exclusive) exclusive_consumer_ = false;
}

void Queue::wake(Consumer& consumer) {
  if (consumer.in_line_ || !consumer.has_credit()) return;
  line_.splice(line_.end(), waiting_, consumer.place_);
  consumer.in_line_ = true;
}

Consumer* Queue::next_consumer() {
  while (!line_.empty()) {
    Consumer* consumer = line_.front();
    if (consumer->has_credit()) return consumer;
    leave_line(*consumer);
  }
  return nullptr;
}

// `consumer` is the head of the line.
void Queue::give(Consumer& consumer, Entry entry) {
  consumer.channel().deliver(consumer, std::move(entry));
  if (consumer.has_credit()) {
    line_.splice(line_.end(), line_, consumer.place_);
  } else {
    leave_line(consumer);
  }
}

void Queue::leave_line(Consumer& consumer) {
  waiting_.splice(waiting_.end(), line_, consumer.place_);
  consumer.in_line_ = false;
}

void Queue::dispatch() {
  while (ready_count() > 0) {
    Consumer* consumer = next_consumer();
    if (!consumer) return;
    Entry entry;
    pop(entry);
    give(*consumer, std::move(entry));
  }
}

std::vector<Consumer*> Queue::close() {
  closed_ = true;
  purge();
  std::vector<Consumer*> left(line_.begin(), line_.end());
  left.insert(left.end(), waiting_.begin(), waiting_.end());
  line_.clear();
  waiting_.clear();
  return left;
}

void Queue::mark_delivered() {
  if (!durable()) return;
  const auto mark = [this](const Entry& entry) {
    const LogPosition position = entry.message->position();
    if (entry.redelivered && position != 0) journal_.mark_delivered(definition_.id, position);
  };
  for (const auto& [place, entry] : returned_)
    mark(entry);
  for (const Entry& entry : ready_)
    mark(entry);
}

}  // namespace haypile::engine
