#include "engine/channel.hpp"

#include <algorithm>
#include <utility>

#include "engine/engine.hpp"
#include "engine/queue.hpp"

namespace haypile::engine {

bool Consumer::has_credit() const {
  return (prefetch_count_ == 0 || unacked_count_ < prefetch_count_ || options_.no_ack) &&
         channel_->has_room();
}

Channel::Channel(Engine& engine, DeliverySink& sink, std::uint64_t owner)
    : engine_(engine), sink_(sink), owner_(owner) {}

Channel::~Channel() {
  close();
}

void Channel::set_channel_prefetch(std::uint32_t prefetch_count) {
  prefetch_count_all_ = prefetch_count;
  wake_consumers();
}

Error Channel::consume(std::string_view queue_name, ConsumerOptions options) {
  Queue* queue = nullptr;
  if (Error error = engine_.find_queue(queue_name, owner_, queue)) return error;
  if (queue->has_exclusive_consumer() || (options.exclusive && queue->consumer_count() > 0)) {
    return {ErrorCode::access_refused,
            "queue '" + queue->name() + "' in vhost '" + engine_.vhost() + "' in exclusive use"};
  }
  auto consumer = std::make_unique<Consumer>(std::move(options), *queue, *this, prefetch_count_);
  Consumer& added = *consumer;
  consumers_.emplace(added.options().tag, std::move(consumer));
  queue->add_consumer(added);
  return {};
}

void Channel::start_consumer(std::string_view tag) {
  consumers_.find(tag)->second->queue().dispatch();
}

bool Channel::has_consumer(std::string_view tag) const {
  return consumers_.contains(tag);
}

void Channel::cancel(std::string_view tag) {
  const auto found = consumers_.find(tag);
  if (found == consumers_.end()) return;
  std::unique_ptr<Consumer> consumer = std::move(found->second);
  consumers_.erase(found);
  Queue& queue = consumer->queue();
  queue.remove_consumer(*consumer);
  if (consumer->unacked_count_ > 0) {
    consumer->cancelled_ = true;
    cancelled_.push_back(std::move(consumer));
  }
  engine_.consumer_left(queue);
}

void Channel::queue_deleted(Consumer& consumer) {
  const auto found = consumers_.find(consumer.options().tag);
  std::unique_ptr<Consumer> gone = std::move(found->second);
  consumers_.erase(found);
  sink_.consumer_cancelled(gone->options().tag);
  if (gone->unacked_count_ > 0) {
    gone->cancelled_ = true;
    cancelled_.push_back(std::move(gone));
  }
}

Error Channel::get(std::string_view queue_name, bool no_ack, GetResult& out) {
  Queue* queue = nullptr;
  if (Error error = engine_.find_queue(queue_name, owner_, queue)) return error;
  Entry entry;
  if (!queue->pop(entry)) return {};
  out.found = true;
  out.redelivered = entry.redelivered;
  out.message = entry.message;
  out.ready_count = queue->ready_count();
  if (no_ack) {
    out.delivery_tag = unacked_.skip();
    queue->settle(entry);
  } else {
    out.delivery_tag = unacked_.add({std::move(entry), queue, nullptr});
  }
  return {};
}

void Channel::deliver(Consumer& consumer, Entry entry) {
  Queue& queue = consumer.queue();
  const MessagePtr message = entry.message;
  const bool redelivered = entry.redelivered;
  std::uint64_t delivery_tag;
  if (consumer.options().no_ack) {
    delivery_tag = unacked_.skip();
    queue.settle(entry);
  } else {
    ++consumer.unacked_count_;
    ++unacked_count_;
    delivery_tag = unacked_.add({std::move(entry), &queue, &consumer});
  }
  sink_has_room_ = sink_.deliver({consumer.options().tag, delivery_tag, redelivered, *message}) &&
                   sink_has_room_;
}

Error Channel::settle(std::uint64_t delivery_tag, bool multiple, Settlement how) {
  if (multiple && (delivery_tag == 0 || unacked_.was_given(delivery_tag))) {
    std::vector<UnackedMessage> messages =
        delivery_tag == 0 ? unacked_.take_all() : unacked_.take_until(delivery_tag);
    if (delivery_tag == 0 || !messages.empty()) {
      finish_all(messages, how);
      return {};
    }
  }
  UnackedMessage message;
  if (multiple || !unacked_.take(delivery_tag, message)) {
    return {ErrorCode::precondition_failed, "unknown delivery tag " + std::to_string(delivery_tag)};
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
  engine_.reap(queue);
  return {};
}

// Settles one message; waking and dispatching is left to the caller.
void Channel::finish(UnackedMessage& message, Settlement how) {
  if (message.consumer) {
    --message.consumer->unacked_count_;
    --unacked_count_;
  }
  if (how == Settlement::requeue) {
    message.queue->requeue(std::move(message.entry));
  } else {
    message.queue->settle(message.entry);
  }
}

void Channel::finish_all(std::vector<UnackedMessage>& messages, Settlement how) {
  std::vector<Queue*> queues;
  for (UnackedMessage& message : messages) {
    finish(message, how);
    if (queues.empty() || queues.back() != message.queue) queues.push_back(message.queue);
  }
  std::erase_if(cancelled_, [](const auto& consumer) { return consumer->unacked_count_ == 0; });
  std::sort(queues.begin(), queues.end());
  queues.erase(std::unique(queues.begin(), queues.end()), queues.end());
  wake_consumers();
  for (Queue* queue : queues) {
    queue->dispatch();
    engine_.reap(*queue);
  }
}

void Channel::recover() {
  std::vector<UnackedMessage> messages = unacked_.take_all();
  finish_all(messages, Settlement::requeue);
}

void Channel::resume() {
  if (sink_has_room_) return;
  sink_has_room_ = true;
  wake_consumers();
}

// First all rejoin their lines, then the queues give out: one consumer's queue must not use up the
// credit of the channel before another consumer is back in its line.
void Channel::wake_consumers() {
  if (!has_room()) return;
  for (const auto& [tag, consumer] : consumers_)
    consumer->queue().wake(*consumer);
  for (const auto& [tag, consumer] : consumers_)
    consumer->queue().dispatch();
}

void Channel::remove_cancelled(Consumer& consumer) {
  if (consumer.unacked_count_ > 0) return;
  std::erase_if(cancelled_, [&](const auto& held) { return held.get() == &consumer; });
}

void Channel::close() {
  // Out of the lines first: what goes back must not come to this channel again.
  std::vector<Queue*> left;
  for (const auto& [tag, consumer] : consumers_) {
    consumer->queue().remove_consumer(*consumer);
    left.push_back(&consumer->queue());
  }
  std::unordered_map<std::string_view, std::unique_ptr<Consumer>> ended;
  ended.swap(consumers_);
  recover();
  cancelled_.clear();
  std::sort(left.begin(), left.end());
  left.erase(std::unique(left.begin(), left.end()), left.end());
  for (Queue* queue : left)
    engine_.consumer_left(*queue);
}

}  // namespace haypile::engine
