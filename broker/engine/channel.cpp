#include "engine/channel.hpp"

#include <iterator>
#include <unordered_set>
#include <utility>

#include "engine/engine.hpp"
#include "engine/queue.hpp"

namespace haypile::engine {

Channel::Channel(Engine& engine, DeliverySink& sink, std::uint64_t owner)
    : engine_(engine), sink_(sink), owner_(owner) {
  engine_.channels_.insert(this);
}

Channel::~Channel() {
  close();
  engine_.channels_.erase(this);
}

void Channel::set_channel_prefetch(std::uint32_t prefetch_count) {
  prefetch_count_all_ = prefetch_count;
  wake_consumers();
  engine_.bury();
}

Error Channel::consume(std::string_view queue_name, ConsumerOptions options) {
  Queue* queue = nullptr;
  if (Error error = engine_.find_queue(queue_name, owner_, queue)) return error;
  if (queue->has_exclusive_consumer() || (options.exclusive && queue->consumer_count() > 0)) {
    return {ErrorCode::access_refused,
            "queue '" + queue->name() + "' in vhost '" + engine_.vhost() + "' in exclusive use"};
  }
  if (options.exclusive && queue->options().single_active_consumer) {
    return {ErrorCode::access_refused,
            "queue '" + queue->name() + "' in vhost '" + engine_.vhost() +
                "' has a single active consumer: no consumer of it can be exclusive"};
  }
  auto consumer = std::make_unique<Consumer>(std::move(options), *queue, *this, prefetch_count_);
  Consumer& added = *consumer;
  consumers_.emplace(added.options().tag, std::move(consumer));
  queue->add_consumer(added);
  return {};
}

void Channel::start_consumer(std::string_view tag) {
  consumers_.find(tag)->second->queue().dispatch();
  engine_.bury();
}

Error Channel::consume_replies(ConsumerOptions options, std::string name) {
  if (!options.no_ack) {
    return {ErrorCode::precondition_failed,
            "a reply consumer cannot acknowledge: no_ack is needed"};
  }
  if (!reply_name_.empty()) {
    return {ErrorCode::precondition_failed, "this channel has a reply consumer already"};
  }
  reply_tag_ = std::move(options.tag);
  reply_name_ = std::move(name);
  engine_.add_reply_channel(reply_name_, *this);
  return {};
}

bool Channel::deliver_reply(const Message& message) {
  if (!sink_has_room_) return false;
  sink_has_room_ = sink_.deliver({reply_tag_, unacked_.skip(), false, 0, message});
  return true;
}

bool Channel::has_consumer(std::string_view tag) const {
  return consumers_.contains(tag) || (!reply_name_.empty() && tag == reply_tag_);
}

void Channel::cancel(std::string_view tag) {
  if (!reply_name_.empty() && tag == reply_tag_) {
    engine_.remove_reply_channel(std::exchange(reply_name_, {}));
    return;
  }
  const auto found = consumers_.find(tag);
  if (found == consumers_.end()) return;
  std::unique_ptr<Consumer> consumer = std::move(found->second);
  consumers_.erase(found);
  Queue& queue = consumer->queue();
  queue.remove_consumer(*consumer);
  queue.dispatch();  // it may have been the one that all others waited for
  engine_.bury();
  keep_cancelled(std::move(consumer));
  engine_.consumer_left(queue);
}

void Channel::queue_deleted(Consumer& consumer) {
  const auto found = consumers_.find(consumer.options().tag);
  std::unique_ptr<Consumer> gone = std::move(found->second);
  consumers_.erase(found);
  sink_.consumer_cancelled(gone->options().tag);
  keep_cancelled(std::move(gone));
}

Error Channel::get(std::string_view queue_name, bool no_ack, GetResult& out) {
  Queue* queue = nullptr;
  if (Error error = engine_.find_queue(queue_name, owner_, queue)) return error;
  Entry entry;
  const bool found = queue->pop(entry);
  queue->touch();
  engine_.bury();
  if (!found) return {};
  out.found = true;
  out.redelivered = entry.redelivered;
  out.delivery_count = entry.delivery_count;
  out.ready_count = queue->ready_count();
  if (no_ack) {
    out.delivery_tag = unacked_.skip();
    queue->settle(entry);
    out.message = std::move(entry.message);
  } else {
    out.message = entry.message;
    out.delivery_tag = unacked_.add(std::move(entry), *queue, nullptr);
  }
  return {};
}

void Channel::deliver(Consumer& consumer, Entry&& entry) {
  Queue& queue = consumer.queue();
  const Message& message = *entry.message;  // held by unacked_ or the caller
  const bool redelivered = entry.redelivered;
  const std::uint32_t delivery_count = entry.delivery_count;
  std::uint64_t delivery_tag;
  if (consumer.options().no_ack) {
    delivery_tag = unacked_.skip();
    queue.settle(entry);
  } else {
    ++consumer.unacked_count_;
    ++unacked_count_;
    delivery_tag = unacked_.add(std::move(entry), queue, &consumer);
  }
  sink_has_room_ =
      sink_.deliver({consumer.options().tag, delivery_tag, redelivered, delivery_count, message}) &&
      sink_has_room_;
}

Error Channel::take(std::uint64_t delivery_tag, bool multiple, std::vector<TakenMessage>& taken) {
  if (multiple && delivery_tag == 0) {
    taken = unacked_.take_all();
    return {};
  }
  if (multiple) {
    if (unacked_.contains(delivery_tag)) taken = unacked_.take_until(delivery_tag);
  } else {
    TakenMessage message;
    if (unacked_.take(delivery_tag, message)) {
      message.delivery_tag = delivery_tag;
      taken.push_back(std::move(message));
    }
  }
  if (!taken.empty()) return {};
  return {ErrorCode::precondition_failed, "unknown delivery tag " + std::to_string(delivery_tag)};
}

Error Channel::settle(std::uint64_t delivery_tag, bool multiple, Settlement how) {
  UnackedMessage message;
  if (multiple || !unacked_.take(delivery_tag, message)) {
    std::vector<TakenMessage> taken;
    if (Error error = take(delivery_tag, multiple, taken)) return error;
    finish_all(taken, how);
    return {};
  }
  const bool channel_was_full = !has_room();
  Queue& queue = *message.queue;
  Consumer* consumer = message.consumer;
  finish(message, how);
  if (channel_was_full) wake_consumers();
  if (consumer && consumer->cancelled_) {
    remove_cancelled(*consumer);
  } else if (consumer) {
    queue.wake(*consumer);
  }
  queue.dispatch();
  engine_.bury();
  engine_.reap(queue);
  return {};
}

// Settles one message; waking and dispatching is left to the caller.
void Channel::finish(UnackedMessage& message, Settlement how) {
  if (message.consumer) {
    --message.consumer->unacked_count_;
    --unacked_count_;
  }
  switch (how) {
    case Settlement::ack:
      message.queue->settle(message.entry);
      break;
    case Settlement::drop:
      message.queue->reject(message.entry);
      break;
    case Settlement::requeue:
      message.queue->requeue(std::move(message.entry));
      break;
  }
}

namespace {

// Each stays where it comes first: the same calls have to give the same order.
template <class T>
void make_unique(std::vector<T>& items) {
  if (items.size() < 2) return;
  std::unordered_set<T> seen;
  std::erase_if(items, [&](T item) { return !seen.insert(item).second; });
}

}  // namespace

void Channel::finish_all(std::vector<TakenMessage>& messages, Settlement how) {
  const bool channel_was_full = !has_room();
  std::vector<Queue*> queues;
  std::vector<Consumer*> consumers;
  for (TakenMessage& message : messages) {
    finish(message, how);
    if (queues.empty() || queues.back() != message.queue) queues.push_back(message.queue);
    Consumer* consumer = message.consumer;
    if (!consumer) continue;
    if (consumers.empty() || consumers.back() != consumer) consumers.push_back(consumer);
  }
  make_unique(queues);
  make_unique(consumers);
  for (Consumer* consumer : consumers) {
    if (consumer->cancelled_) {
      remove_cancelled(*consumer);
    } else {
      consumer->queue().wake(*consumer);
    }
  }
  if (channel_was_full) wake_consumers();
  for (Queue* queue : queues)
    queue->dispatch();
  engine_.bury();
  for (Queue* queue : queues)
    engine_.reap(*queue);
}

Error Channel::hold(std::uint64_t delivery_tag, bool multiple, Settlement how) {
  std::vector<TakenMessage> taken;
  if (Error error = take(delivery_tag, multiple, taken)) return error;
  if (!taken.empty()) held_.push_back({std::move(taken), how});
  return {};
}

void Channel::settle_held() {
  std::vector<Held> held = std::exchange(held_, {});
  for (Held& each : held)
    finish_all(each.messages, each.how);
}

void Channel::release_held() {
  for (Held& each : held_) {
    for (TakenMessage& message : each.messages)
      unacked_.put_back(std::move(message));
  }
  held_.clear();
}

void Channel::recover() {
  std::vector<TakenMessage> messages = unacked_.take_all();
  finish_all(messages, Settlement::requeue);
}

void Channel::resume() {
  if (sink_has_room_ || stopped_) return;
  sink_has_room_ = true;
  wake_consumers();
  engine_.bury();
}

// First all rejoin their lines, then the queues give out: one consumer's queue must not use up the
// credit of the channel before another consumer is back in its line.
void Channel::wake_consumers() {
  if (!has_room()) return;
  for (const auto& [tag, consumer] : consumers_)
    consumer->queue().wake(*consumer);
  if (consumers_.empty()) return;
  // Each time another one is first: the same queue must not get all the credit there is.
  const auto first =
      std::next(consumers_.begin(), static_cast<std::ptrdiff_t>(wakes_++ % consumers_.size()));
  for (auto it = first; it != consumers_.end(); ++it)
    it->second->queue().dispatch();
  for (auto it = consumers_.begin(); it != first; ++it)
    it->second->queue().dispatch();
}

// It is nobody's consumer any more, but what it was given refers to it.
void Channel::keep_cancelled(std::unique_ptr<Consumer> consumer) {
  if (consumer->unacked_count_ == 0) return;
  consumer->cancelled_ = true;
  cancelled_.emplace(consumer.get(), std::move(consumer));
}

void Channel::remove_cancelled(const Consumer& consumer) {
  if (consumer.unacked_count_ == 0) cancelled_.erase(&consumer);
}

void Channel::close() {
  if (!reply_name_.empty()) engine_.remove_reply_channel(std::exchange(reply_name_, {}));
  // Out of the lines first: what goes back must not come to this channel again.
  std::vector<Queue*> left;
  for (const auto& [tag, consumer] : consumers_) {
    consumer->queue().remove_consumer(*consumer);
    consumer->cancelled_ = true;
    left.push_back(&consumer->queue());
  }
  std::unordered_map<std::string_view, std::unique_ptr<Consumer>> ended;
  ended.swap(consumers_);
  release_held();
  recover();
  cancelled_.clear();
  make_unique(left);
  for (Queue* queue : left)
    queue->dispatch();
  engine_.bury();
  for (Queue* queue : left)
    engine_.consumer_left(*queue);
}

}  // namespace haypile::engine
