#include "engine/subscriptions.hpp"

#include <algorithm>
#include <utility>

#include "engine/engine.hpp"
#include "engine/invariant.hpp"
#include "engine/queue.hpp"
#include "engine/settling_job.hpp"

namespace haypile::engine {

Subscriptions::Subscriptions(Engine& engine, DeliverySink& sink, std::uint64_t owner)
    : registry_(engine.registry()),
      topology_(engine.topology()),
      dead_lettering_(registry_.dead_lettering()),
      context_(topology_.context()),
      sink_(sink),
      owner_(owner),
      memory_(context_.memory, sizeof(Subscriptions)),
      consumers_(0, topology_.exchange_context().hash) {
  registry_.add(*this);
}

Subscriptions::~Subscriptions() {
  close();
  registry_.remove(*this);
}

void Subscriptions::set_channel_prefetch(std::uint32_t prefetch_count) {
  prefetch_count_all_ = prefetch_count;
  resume_parked();
  dead_lettering_.pass_on_fresh();
}

Error Subscriptions::consume(std::string_view queue_name, ConsumerOptions options) {
  Queue* queue = nullptr;
  if (Error error = topology_.find_queue(queue_name, owner_, queue)) return error;
  if (queue->has_exclusive_consumer() || (options.exclusive && queue->consumer_count() > 0)) {
    return {ErrorCode::access_refused,
            "queue '" + queue->name() + "' in vhost '" + topology_.vhost() + "' in exclusive use"};
  }
  if (options.exclusive && queue->options().single_active_consumer) {
    return {ErrorCode::access_refused,
            "queue '" + queue->name() + "' in vhost '" + topology_.vhost() +
                "' has a single active consumer: no consumer of it can be exclusive"};
  }
  auto consumer = std::make_unique<Consumer>(std::move(options), *queue, *this, prefetch_count_);
  Consumer& added = *consumer;
  added.account().memory =
      MemoryShare(context_.memory, 2 * (sizeof(Consumer) + added.options().tag.size()));
  consumers_.emplace(added.options().tag, std::move(consumer));
  added.account().parking = running_.insert(running_.end(), &added);
  queue->add_consumer(added);
  return {};
}

void Subscriptions::start_consumer(std::string_view tag) {
  consumers_.find(tag)->second->queue().dispatch();
  dead_lettering_.pass_on_fresh();
}

Error Subscriptions::consume_replies(ConsumerOptions options, std::string name) {
  if (!options.no_ack) {
    return {ErrorCode::precondition_failed, "reply consumer cannot acknowledge"};
  }
  if (!reply_name_.empty()) {
    return {ErrorCode::precondition_failed, "reply consumer already set"};
  }
  reply_tag_ = std::move(options.tag);
  reply_name_ = std::move(name);
  registry_.add_reply_receiver(reply_name_, *this);
  return {};
}

bool Subscriptions::deliver_reply(const MessagePtr& message) {
  if (!sink_has_room_ || properties_size(*message) > properties_max_) return false;
  sink_has_room_ = sink_.deliver({reply_tag_, unacked_.skip(), false, 0, message});
  return true;
}

std::size_t Subscriptions::bare_size(const Message& message) {
  const std::string_view properties = message.properties();
  context_.work.spend(1);
  context_.work.spend_decoding(properties.size());
  return context_.property_codec.bare_size(properties);
}

bool Subscriptions::has_consumer(std::string_view tag) const {
  return consumers_.contains(tag) || (!reply_name_.empty() && tag == reply_tag_);
}

void Subscriptions::cancel(std::string_view tag) {
  if (!reply_name_.empty() && tag == reply_tag_) {
    registry_.remove_reply_receiver(std::exchange(reply_name_, {}));
    return;
  }
  const auto found = consumers_.find(tag);
  if (found == consumers_.end()) return;
  std::unique_ptr<Consumer> consumer = std::move(found->second);
  consumers_.erase(found);
  remove_consumer(*consumer);
  Queue& queue = consumer->queue();
  queue.remove_consumer(*consumer);
  queue.dispatch();  // others may have waited for this consumer
  dead_lettering_.pass_on_fresh();
  keep_cancelled(std::move(consumer));
  topology_.consumer_left(queue);
}

void Subscriptions::queue_deleted(Consumer& consumer) {
  const auto found = consumers_.find(consumer.options().tag);
  std::unique_ptr<Consumer> gone = std::move(found->second);
  consumers_.erase(found);
  remove_consumer(*gone);
  sink_.consumer_cancelled(gone->options().tag);
  keep_cancelled(std::move(gone));
}

Error Subscriptions::get(std::string_view queue_name, bool no_ack, GetResult& out) {
  Queue* queue = nullptr;
  if (Error error = topology_.find_queue(queue_name, owner_, queue)) return error;
  QueuedMessage entry;
  const bool found = queue->pop(properties_max_, entry);
  queue->note_use();
  dead_lettering_.pass_on_fresh();
  if (!found) return {};
  if (const std::size_t size = properties_size(*entry.message); size > properties_max_) {
    out.refused_size = size;
    queue->withhold(std::move(entry), size);
    queue->dispatch();
    dead_lettering_.pass_on_fresh();
    return {};
  }
  out.found = true;
  out.redelivered = entry.redelivered;
  out.delivery_count = entry.delivery_count;
  out.ready_count = queue->ready_count();
  if (no_ack) {
    out.delivery_tag = unacked_.skip();
    queue->acknowledge(entry);
    out.message = std::move(entry.message);
  } else {
    out.message = entry.message;
    queue->leave_memory(entry);
    out.delivery_tag = unacked_.add(std::move(entry), *queue, nullptr);
    ++got_[queue];
  }
  return {};
}

void Subscriptions::deliver(Consumer& consumer, QueuedMessage&& entry) {
  Queue& queue = consumer.queue();
  const bool redelivered = entry.redelivered;
  const std::uint32_t delivery_count = entry.delivery_count;
  QueuedMessage* given = &entry;
  std::uint64_t delivery_tag;
  if (consumer.options().no_ack) {
    delivery_tag = unacked_.skip();
    queue.acknowledge(entry);
  } else {
    ++consumer.account().unacked_count;
    ++unacked_count_;
    delivery_tag = unacked_.add(std::move(entry), queue, &consumer);
    given = &unacked_.newest().entry;
    if (unacked_count_ >= registry_.unacked_max().to_consumers) limit_unacked();
  }
  sink_has_room_ = sink_.deliver({consumer.options().tag, delivery_tag, redelivered, delivery_count,
                                  given->message}) &&
                   sink_has_room_;
  queue.leave_memory(*given);
}

namespace {

// One call settles this many messages; later turns settle the rest.
constexpr std::uint64_t settled_at_once = 1000;

Error unknown_tag(std::uint64_t delivery_tag) {
  return {ErrorCode::precondition_failed, "unknown delivery tag " + std::to_string(delivery_tag)};
}

Error too_many_held() {
  return {ErrorCode::precondition_failed, "more than " + std::to_string(Subscriptions::held_max) +
                                              " acknowledgements in a transaction"};
}

}  // namespace

Error Subscriptions::settle(std::uint64_t delivery_tag, bool multiple, Settlement how) {
  if (multiple && delivery_tag == 0) {
    finish_until(unacked_.last_tag(), how);
    return {};
  }
  if (multiple) {
    if (!unacked_.contains(delivery_tag)) return unknown_tag(delivery_tag);
    finish_until(delivery_tag, how);
    return {};
  }
  UnackedMessage message;
  if (!unacked_.take(delivery_tag, message)) return unknown_tag(delivery_tag);
  const bool channel_was_full = !has_room();
  Queue& queue = *message.queue;
  Consumer* consumer = message.consumer;
  finish(message, how);
  if (channel_was_full) resume_parked();
  if (consumer && consumer->account().is_cancelled) {
    remove_cancelled(*consumer);
  } else if (consumer) {
    credit_returned(*consumer);
  }
  queue.dispatch();
  dead_lettering_.pass_on_fresh();
  topology_.free_if_finished(queue);
  return {};
}

void Subscriptions::finish_until(std::uint64_t last, Settlement how) {
  const bool channel_was_full = !has_room();
  Affected touched;
  TaggedMessage message;
  for (std::uint64_t i = 0; i < settled_at_once && unacked_.take_first(last, message); ++i) {
    touched.add(message.queue, message.consumer);
    context_.work.spend(1);
    finish(message, how);
  }
  if (unacked_.any_until(last)) {
    registry_.settle_later({.messages = unacked_.split(last),
                            .how = how,
                            .channel = this,
                            .paused_queues = queues_paused_by(how)});
  }
  dispatch_after_settling(touched, channel_was_full);
}

// If messages come back: all queues that they may come from, with their dispatch held.
std::vector<Queue*> Subscriptions::queues_paused_by(Settlement how) const {
  std::vector<Queue*> queues;
  if (how != Settlement::requeue) return queues;
  const auto add = [&](const auto& consumers) {
    for (const auto& [key, consumer] : consumers) {
      if (consumer->account().unacked_count > 0) queues.push_back(&consumer->queue());
    }
  };
  add(consumers_);
  add(cancelled_);
  for (const auto& [queue, count] : got_)
    queues.push_back(queue);
  for (Queue* queue : queues)
    queue->hold_dispatch();
  return queues;
}

// Settles one message. The caller resumes consumers and dispatches.
void Subscriptions::finish(UnackedMessage& message, Settlement how) {
  if (how != Settlement::requeue) settled_bytes_ += message.entry.body_size();
  if (message.consumer) {
    --message.consumer->account().unacked_count;
    --unacked_count_;
    if (is_limited_ && unacked_count_ <= registry_.unacked_max().to_consumers / 2 &&
        !HAYPILE_CANARY(limit_stays)) {
      lift_limit();
    }
  } else if (const auto got = got_.find(message.queue); --got->second == 0) {
    got_.erase(got);
  }
  message.queue->settle(std::move(message.entry), how);
}

void Subscriptions::dispatch_after_settling(Affected& touched, bool channel_was_full) {
  for (Consumer* consumer : touched.consumers()) {
    if (consumer->account().is_cancelled) {
      remove_cancelled(*consumer);
    } else {
      credit_returned(*consumer);
    }
  }
  if (channel_was_full) resume_parked();
  for (Queue* queue : touched.queues())
    queue->dispatch();
  dead_lettering_.pass_on_fresh();
  for (Queue* queue : touched.queues())
    topology_.free_if_finished(*queue);
}

void Subscriptions::continue_settling(SettlingJob& job, const Portion& portion) {
  const bool channel_was_full = !has_room();
  Affected touched;
  TaggedMessage message;
  while (!portion.is_used_up() && job.messages.take_first(job.messages.last_tag(), message)) {
    touched.add(message.queue, message.consumer);
    context_.work.spend(1);
    finish(message, job.how);
  }
  dispatch_after_settling(touched, channel_was_full);
}

Error Subscriptions::hold(std::uint64_t delivery_tag, bool multiple, Settlement how) {
  std::vector<TaggedMessage> taken;
  if (multiple) {
    const bool all = delivery_tag == 0;
    if (!all && !unacked_.contains(delivery_tag)) return unknown_tag(delivery_tag);
    const std::uint64_t last = all ? unacked_.last_tag() : delivery_tag;
    if (unacked_.count_until(last, held_max) > held_max - held_count_) return too_many_held();
    taken = unacked_.take_until(last);
  } else {
    if (held_count_ >= held_max) return too_many_held();
    TaggedMessage message;
    if (!unacked_.take(delivery_tag, message)) return unknown_tag(delivery_tag);
    message.delivery_tag = delivery_tag;
    taken.push_back(std::move(message));
  }
  context_.work.spend(taken.size());
  held_count_ += taken.size();
  if (!taken.empty()) held_.push_back({std::move(taken), how});
  return {};
}

std::size_t Subscriptions::unsettled_bytes(std::size_t bytes_max) const {
  constexpr std::size_t looked_at_max = 4096;
  std::size_t bytes = unacked_.bytes(looked_at_max, bytes_max);
  for (const HeldSettlement& held : held_) {
    for (const TaggedMessage& message : held.messages) {
      if (bytes >= bytes_max) return bytes_max;
      bytes += message.entry.message->size();
    }
  }
  return std::min(bytes, bytes_max);
}

// All are settled in this call, since they belong to one group of the journal.
void Subscriptions::settle_held() {
  std::vector<HeldSettlement> held = std::exchange(held_, {});
  held_count_ = 0;
  for (HeldSettlement& each : held) {
    const bool channel_was_full = !has_room();
    Affected touched;
    for (TaggedMessage& message : each.messages) {
      touched.add(message.queue, message.consumer);
      finish(message, each.how);
    }
    dispatch_after_settling(touched, channel_was_full);
  }
}

void Subscriptions::release_held() {
  for (HeldSettlement& each : held_) {
    for (TaggedMessage& message : each.messages)
      unacked_.put_back(std::move(message));
  }
  held_.clear();
  held_count_ = 0;
}

void Subscriptions::requeue_all() {
  finish_until(unacked_.last_tag(), Settlement::requeue);
}

void Subscriptions::resume() {
  if (sink_has_room_ || stopped_) return;
  sink_has_room_ = true;
  resume_parked();
  dead_lettering_.pass_on_fresh();
}

bool Subscriptions::should_put_off_get() const {
  return unacked_.size() + held_count_ >= registry_.unacked_max().to_gets;
}

void Subscriptions::limit_unacked() {
  if (!std::exchange(is_limited_, true)) registry_.note_limited(*this);
}

void Subscriptions::lift_limit() {
  if (!std::exchange(is_limited_, false)) return;
  registry_.note_unlimited(*this);
}

void Subscriptions::park(Consumer& consumer) {
  if (consumer.account().is_parked || has_room()) return;
  parked_.splice(parked_.end(), running_, consumer.account().parking);
  consumer.account().is_parked = true;
}

void Subscriptions::unpark(Consumer& consumer) {
  if (!std::exchange(consumer.account().is_parked, false)) return;
  running_.splice(running_.end(), parked_, consumer.account().parking);
}

void Subscriptions::remove_consumer(Consumer& consumer) {
  (consumer.account().is_parked ? parked_ : running_).erase(consumer.account().parking);
}

void Subscriptions::credit_returned(Consumer& consumer) {
  if (!consumer.has_credit()) return park(consumer);
  unpark(consumer);
  consumer.queue().credit_returned(consumer);
}

std::size_t Subscriptions::free_credit() const {
  return prefetch_count_all_ == 0 ? parked_.size() : prefetch_count_all_ - unacked_count_;
}

// All consumers that the channel has credit for get their turns back before any of their queues
// dispatches: otherwise one queue could use up the channel's credit before the next consumer has
// its turn back. A consumer that gets nothing leaves room for the next ones; one that uses up the
// credit is parked behind all others.
void Subscriptions::resume_parked() {
  while (has_room() && !parked_.empty()) {
    const std::size_t count = std::min(free_credit(), parked_.size());
    context_.work.spend(count);
    resumed_queues_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      Consumer& consumer = *parked_.front();
      unpark(consumer);
      consumer.queue().credit_returned(consumer);
      resumed_queues_.push_back(&consumer.queue());
    }
    for (Queue* queue : resumed_queues_)
      queue->dispatch();
  }
}

void Subscriptions::check_invariants() {
  unacked_.check_invariants();
  expect_invariant(parked_.size() + running_.size() == consumers_.size(),
                   "each consumer is in one list");
  for (const Consumer* consumer : parked_) {
    expect_invariant(consumer->account().is_parked && !has_room(),
                     "who is parked waits for the channel");
  }
  expect_invariant(!is_limited_ || registry_.is_limit_to_lift(*this) ||
                       unacked_count_ > registry_.unacked_max().to_consumers / 2,
                   "who has settled half of what it had gets more");
  std::size_t unacked_count = 0;
  for (const auto& [tag, consumer] : consumers_)
    unacked_count += consumer->account().unacked_count;
  for (const auto& [pointer, consumer] : cancelled_)
    unacked_count += consumer->account().unacked_count;
  expect_invariant(unacked_count == unacked_count_, "a channel's unacked are its consumers'");
}

// The consumer has ended, but its unacked messages refer to it.
void Subscriptions::keep_cancelled(std::unique_ptr<Consumer> consumer) {
  if (consumer->account().unacked_count == 0) return;
  consumer->account().is_cancelled = true;
  cancelled_.emplace(consumer.get(), std::move(consumer));
}

void Subscriptions::remove_cancelled(const Consumer& consumer) {
  if (consumer.account().unacked_count == 0) cancelled_.erase(&consumer);
}

void Subscriptions::close() {
  if (!reply_name_.empty()) registry_.remove_reply_receiver(std::exchange(reply_name_, {}));
  // The consumers leave their queues first, so that returned messages do not come to this channel
  // again.
  Affected left;
  for (const auto& [tag, consumer] : consumers_) {
    consumer->queue().remove_consumer(*consumer);
    consumer->account().is_cancelled = true;
    left.add(&consumer->queue(), nullptr);
  }
  parked_.clear();
  running_.clear();
  release_held();
  requeue_all();
  registry_.detach_jobs(*this);
  lift_limit();
  consumers_.clear();
  cancelled_.clear();
  got_.clear();
  unacked_count_ = 0;
  for (Queue* queue : left.queues())
    queue->dispatch();
  dead_lettering_.pass_on_fresh();
  for (Queue* queue : left.queues())
    topology_.consumer_left(*queue);
}

}  // namespace haypile::engine
