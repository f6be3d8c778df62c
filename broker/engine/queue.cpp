#include "engine/queue.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/invariant.hpp"
#include "engine/subscriptions.hpp"

namespace haypile::engine {

namespace {
// Expired messages are dropped in portions, so that one queue does not delay all others.
constexpr std::uint64_t portion_units = 1000;
// How many consumers with a turn are examined, at most, to find some that can be sent a withheld
// message.
constexpr std::size_t looked_at_max = 1000;
constexpr std::size_t looked_at_per_unit = 10;
// A client that polls a queue keeps using it. To write less, the journal is told of a use that lies
// in the future by one tenth of the expiry time, and of no other use before that moment. After a
// restart a queue may so live that much longer, but never shorter.
constexpr std::uint64_t use_log_share = 10;
// While dead letters wait for the journal, a queue that has more of them checks at this interval
// whether it may continue.
constexpr TimeMs journal_look_interval_ms = 50;
// Marks an unacked message whose queue has been deleted and whose release the journal knows of.
constexpr StoredId released = std::numeric_limits<StoredId>::max();

// An estimate: the hash tables that list the queue take about as much memory again.
std::size_t memory_of(const QueueDefinition& definition) {
  return 2 * (sizeof(Queue) + definition.name.size() + definition.arguments.size());
}

}  // namespace

Queue::Queue(QueueDefinition definition, QueueOptions options, OwnerId owner, QueueContext& context)
    : Destination(true),
      definition_(std::move(definition)),
      options_(std::move(options)),
      owner_(owner),
      context_(context),
      memory_(context.memory, memory_of(definition_)),
      ready_(definition_.id, options_.priority_max, definition_.durable, context),
      may_refuse_(options_.overflow != Overflow::drop_head),
      may_drop_(options_.is_limited() || is_timed()) {}

// A message comes in by push(), restore() or restore_backlog(), and waits in ready_. From there it
// leaves by pop(), by delivery to a consumer, or because it is given up (expired, over the length)
// or purged. A popped message counts in unacked_count_ until it ends with acknowledge() or
// reject(), or comes back to its place with requeue() or withhold(). A message that is given up is
// counted in letter_count_, and still in the journal, until letter_passed_on(). Each end calls
// release() once, which tells the journal. After close() nothing is dead-lettered: what comes back
// is released.
void Queue::push(const MessagePtr& message) {
  if (message->has_ttl()) may_drop_ = true;
  if (may_drop_) drop_expired();
  QueuedMessage entry{.message = message, .place = next_place_++};
  if (!ready_.has_for_all()) {
    if (Consumer* consumer = next_consumer()) {
      ++unacked_count_;
      if (!deliver_to(*consumer, std::move(entry))) dispatch();
      return;
    }
  }
  // Messages that are ready go first. There are some only if no consumer has credit, or if dispatch
  // is held or has been interrupted.
  ready_.push(std::move(entry));
  if (!may_drop_) return;
  drop_excess();
  drop_expired();
  arm();
}

void Queue::restore(MessagePtr message, bool redelivered, std::uint32_t delivery_count) {
  if (message->has_ttl()) may_drop_ = true;
  QueuedMessage entry{
      .message = std::move(message), .place = next_place_++, .redelivered = redelivered};
  entry.set_delivery_count(delivery_count);
  ready_.push(std::move(entry));
  if (may_drop_) arm();
}

bool Queue::pop(std::size_t properties_max, QueuedMessage& out) {
  // The head is not known before all expired messages are gone, which may take several portions.
  if (may_drop_ && !drop_expired()) {
    arm();
    return false;
  }
  if (dispatch_holds_ > 0 || !ready_.pop(properties_max, out)) return false;
  ++unacked_count_;
  if (may_drop_) {
    drop_expired();
    arm();
  }
  return true;
}

void Queue::requeue(QueuedMessage entry) {
  --unacked_count_;
  if (closed()) return release(entry);
  entry.redelivered = true;
  if (options_.counts_deliveries()) {
    entry.set_delivery_count(entry.delivery_count + 1);
    if (options_.delivery_limit && entry.delivery_count > *options_.delivery_limit) {
      return give_up(entry, DeathReason::delivery_limit);
    }
    if (durable() && entry.is_logged()) {
      context_.journal.set_delivery_count(ref_of(entry), entry.delivery_count);
    }
  }
  ready_.put_back(std::move(entry));
}

void Queue::withhold(QueuedMessage&& entry, std::size_t needed) {
  --unacked_count_;
  may_offer_withheld_ = true;
  ready_.withhold(std::move(entry), needed);
}

void Queue::acknowledge(const QueuedMessage& entry) {
  --unacked_count_;
  release(entry);
}

void Queue::reject(const QueuedMessage& entry) {
  --unacked_count_;
  give_up(entry, DeathReason::rejected);
}

void Queue::settle(QueuedMessage&& entry, Settlement how) {
  switch (how) {
    case Settlement::ack:
      return acknowledge(entry);
    case Settlement::drop:
      return reject(entry);
    case Settlement::requeue:
      return requeue(std::move(entry));
  }
}

void Queue::resume_dispatch() {
  if (--dispatch_holds_ == 0 && !closed()) dispatch();
}

std::size_t Queue::purge(std::size_t count_max, const Portion& portion) {
  const std::size_t before = ready_.size();
  ready_.drop_backlogs();
  discard_ready(portion, count_max);
  return before - ready_.size();
}

void Queue::discard_ready(const Portion& portion, std::size_t count_max) {
  QueuedMessage entry;
  for (; count_max > 0 && !portion.is_used_up() && !ready_.empty(); --count_max) {
    if (!ready_.take(entry)) return;
    context_.work.spend(1);
    release(entry);
  }
}

void Queue::release(const QueuedMessage& entry) {
  if (!durable() || !entry.is_logged() || entry.stored == released) return;
  if (closed()) {
    context_.journal.release(ref_of(entry));
  } else {
    context_.journal.ack(ref_of(entry));
  }
}

void Queue::restore_backlog(std::uint8_t priority, Backlog& backlog) {
  next_place_ = std::max(next_place_, backlog.last_place() + 1);
  ready_.add_backlog(priority, backlog);
  may_drop_ = may_drop_ || backlog.is_timed();
  if (may_drop_) arm();
}

void Queue::store_unacked(QueuedMessage& entry) {
  if (closed()) {
    release(entry);
    entry.stored = released;
    entry.message = context_.absent;
  } else {
    ready_.store_popped(entry);
  }
}

void Queue::add_consumer(Consumer& consumer) {
  rotation_.add(consumer);
  note_candidate(consumer);
  exclusive_consumer_ = consumer.options().exclusive;
  if (options_.single_active_consumer && !active_) active_ = &consumer;
  if (options_.expires_ms && rotation_.size() == 1 && durable()) {
    logged_use_ = 0;
    context_.journal.set_unused_since(definition_.id, 0);
  }
}

void Queue::remove_consumer(Consumer& consumer) {
  rotation_.remove(consumer);
  if (consumer.options().exclusive) exclusive_consumer_ = false;
  if (&consumer == active_) {
    active_ = rotation_.next();
    if (active_) note_candidate(*active_);
  }
  if (rotation_.size() == 0) note_use();
}

void Queue::credit_returned(Consumer& consumer) {
  if (!consumer.takes_turns() && consumer.has_credit()) rotation_.bring_back(consumer);
  if (ready_.has_withheld()) note_candidate(consumer);
}

// Puts the consumer first, so that candidates_for_withheld() finds it early.
void Queue::note_candidate(Consumer& consumer) {
  if (!ready_.has_withheld_for(consumer.subscriptions().properties_max())) return;
  may_offer_withheld_ = true;
  if (consumer.takes_turns() && !options_.single_active_consumer) rotation_.to_front(consumer);
}

Consumer* Queue::next_consumer() {
  if (dispatch_holds_ > 0) return nullptr;
  if (options_.single_active_consumer) {
    if (!active_ || active_->has_credit()) return active_;
    active_->subscriptions().park(*active_);
    return nullptr;
  }
  while (Consumer* consumer = rotation_.next()) {
    if (consumer->has_credit()) return consumer;
    set_aside(*consumer);
  }
  return nullptr;
}

// The consumer has no credit.
void Queue::set_aside(Consumer& consumer) {
  rotation_.set_aside(consumer);
  consumer.subscriptions().park(consumer);
}

// `consumer` has a turn, or is the active one. If its client cannot be sent the message, the
// message is withheld, the consumer gets nothing more because its channel is about to be closed,
// and the call returns false.
bool Queue::deliver_to(Consumer& consumer, QueuedMessage&& entry) {
  Subscriptions& subscriptions = consumer.subscriptions();
  const std::size_t needed = subscriptions.properties_size(*entry.message);
  const bool is_sendable = needed <= subscriptions.properties_max();
  if (is_sendable) {
    subscriptions.deliver(consumer, std::move(entry));
  } else {
    withhold(std::move(entry), needed);
    subscriptions.refuse(needed);
  }
  if (options_.single_active_consumer) return is_sendable;
  if (consumer.has_credit()) {
    rotation_.rotate(consumer);
  } else {
    set_aside(consumer);
  }
  return is_sendable;
}

// Examines only the first looked_at_max consumers. The others get their chance when they settle a
// message, or when it is their turn.
std::vector<Consumer*> Queue::candidates_for_withheld() {
  std::vector<Consumer*> takers;
  const auto look_at = [&](Consumer& consumer) {
    if (consumer.has_credit() &&
        ready_.has_withheld_for(consumer.subscriptions().properties_max())) {
      takers.push_back(&consumer);
    }
  };
  if (!options_.single_active_consumer) {
    const std::size_t count = rotation_.each_in_turn(looked_at_max, look_at);
    context_.work.spend(count / looked_at_per_unit);
  } else if (active_) {
    look_at(*active_);
  }
  return takers;
}

// Gives withheld messages to consumers that can be sent them. Stops when a client is refused: the
// list of candidates may be wrong then.
void Queue::offer_withheld() {
  may_offer_withheld_ = false;
  for (Consumer* consumer : candidates_for_withheld()) {
    const std::size_t properties_max = consumer->subscriptions().properties_max();
    while (consumer->has_credit() && ready_.has_withheld_for(properties_max)) {
      if (may_drop_ && !drop_expired()) {
        may_offer_withheld_ = is_interrupted_ = true;
        return;
      }
      QueuedMessage entry;
      if (!ready_.pop(properties_max, entry)) return;
      ++unacked_count_;
      if (!deliver_to(*consumer, std::move(entry))) return;
    }
  }
}

// The order matters: first messages that are too many or expired are dropped, so that nobody gets
// them; then withheld messages are offered to consumers that may take them; then the head goes to
// the next consumer, again and again, until no consumer has credit or nothing is ready. What is not
// done in one call is done by on_deadline(), for which arm() sets the deadline to now.
void Queue::dispatch() {
  if (may_drop_ && !(drop_excess() && drop_expired())) return arm();
  if (may_offer_withheld_ || ready_.has_for_all()) deliver_ready();
  if (may_drop_ || is_interrupted_) arm();
}

void Queue::deliver_ready() {
  is_interrupted_ = false;
  if (dispatch_holds_ > 0) return;
  const Portion portion(context_.work, portion_units);
  while (may_offer_withheld_ || ready_.has_for_all()) {
    if (may_offer_withheld_) {
      is_interrupted_ = portion.is_used_up();
      if (!is_interrupted_) offer_withheld();
      if (is_interrupted_) return;
      continue;
    }
    Consumer* consumer = next_consumer();
    if (!consumer) return;
    QueuedMessage entry;
    if (!ready_.pop(consumer->subscriptions().properties_max(), entry)) return;
    ++unacked_count_;
    deliver_to(*consumer, std::move(entry));
    if (may_drop_ && !drop_expired()) return;
  }
}

bool Queue::is_full_for(std::size_t body_size) {
  drop_expired();
  if (ready_.size() + 1 > options_.length_max) return true;
  return options_.length_max_bytes != QueueOptions::unlimited &&
         body_size >
             options_.length_max_bytes - std::min(ready_.bytes(), options_.length_max_bytes);
}

TimeMs Queue::expiry(const MessageTimes& times) const {
  if (times.published_at == 0) return no_deadline;
  const TimeMs by_queue =
      options_.message_ttl_ms ? times.published_at + *options_.message_ttl_ms : no_deadline;
  return std::min(by_queue, times.expires_at);
}

// A queue gives up dead letters no faster than they can be passed on.
bool Queue::may_dead_letter() const {
  return !options_.dead_letter_exchange || !context_.letters.is_full();
}

bool Queue::drop_expired() {
  const Portion portion(context_.work, portion_units);
  bool is_done = true;
  ready_.take_while(
      [&](const MessageTimes& times) {
        if (expiry(times) > context_.now) return false;
        is_done = may_dead_letter() && !portion.is_used_up();
        return is_done;
      },
      [&](const QueuedMessage& entry) { give_up(entry, DeathReason::expired); });
  return is_done;
}

// A queue that refuses new messages is never too long, except through messages that come back;
// these are kept.
bool Queue::is_too_long() const {
  return options_.overflow == Overflow::drop_head &&
         (ready_.size() > options_.length_max ||
          (options_.length_max_bytes != QueueOptions::unlimited &&
           ready_.bytes() > options_.length_max_bytes));
}

// While messages are coming back, the head is not known yet.
bool Queue::drop_excess() {
  if (dispatch_holds_ > 0) return true;
  const Portion portion(context_.work, portion_units);
  while (is_too_long()) {
    if (!may_dead_letter() || portion.is_used_up()) return false;
    QueuedMessage entry;
    if (!ready_.take(entry)) return true;
    give_up(entry, DeathReason::maxlen);
  }
  return true;
}

void Queue::give_up(const QueuedMessage& entry, DeathReason reason) {
  context_.work.spend(1);
  if (closed() || !options_.dead_letter_exchange) {
    release(entry);
  } else {
    ++letter_count_;
    context_.letters.add({this, entry, reason});
  }
}

void Queue::refuse(QueuedMessage entry) {
  ++letter_count_;
  context_.letters.add({this, std::move(entry), DeathReason::maxlen});
}

void Queue::letter_passed_on(const QueuedMessage& entry) {
  --letter_count_;
  release(entry);
}

void Queue::arm() {
  if (closed()) return;
  // If the queue is still too long, it could not drop enough in one call.
  const bool is_late = is_interrupted_ || (is_too_long() && dispatch_holds_ == 0);
  TimeMs deadline = is_late ? context_.now : no_deadline;
  ready_.each_front(
      [&](const MessageTimes& times) { deadline = std::min(deadline, expiry(times)); });
  if (options_.expires_ms && rotation_.size() == 0) {
    deadline = std::min(deadline, used_at_ + *options_.expires_ms);
  }
  // A deadline in the past becomes `now`, so that late queues take turns with those that are due
  // now. Nothing reports that the journal keeps up again, so that the queue checks now and then.
  const bool waits_for_journal = !may_dead_letter() && !context_.journal.keeps_up();
  const TimeMs soonest = context_.now + (waits_for_journal ? journal_look_interval_ms : 0);
  context_.timers.arm(*this, timer_, std::max(deadline, soonest));
}

void Queue::record_use() {
  if (closed()) return;
  used_at_ = context_.now;
  if (durable() && rotation_.size() == 0 && used_at_ > logged_use_) {
    logged_use_ = used_at_ + *options_.expires_ms / use_log_share;
    context_.journal.set_unused_since(definition_.id, logged_use_);
  }
  arm();
}

void Queue::restore_unused_since(TimeMs time) {
  if (!options_.expires_ms) return;
  used_at_ = time != 0 ? time : context_.now;
  logged_use_ = time;
  arm();
}

void Queue::on_deadline() {
  context_.timers.disarm(*this, timer_);
  is_interrupted_ = false;
  dispatch();
  arm();
}

bool Queue::is_overdue() const {
  return options_.expires_ms && rotation_.size() == 0 &&
         used_at_ + *options_.expires_ms <= context_.now;
}

std::vector<Consumer*> Queue::close() {
  set_closed();
  ready_.forget_backlogs();
  context_.timers.disarm(*this, timer_);
  active_ = nullptr;
  return rotation_.take_all();
}

void Queue::check_invariants(std::size_t unacked_count, std::size_t letter_count) const {
  expect_invariant(unacked_count == unacked_count_, "a queue knows how many are unacked");
  expect_invariant(letter_count == letter_count_, "a queue knows how many it has given up");
  std::size_t in_memory = 0;
  ready_.each_in_memory([&](const QueuedMessage& entry) {
    expect_invariant(entry.place < next_place_, "places rise");
    ++in_memory;
  });
  expect_invariant(in_memory <= ready_.size(), "what is in memory is part of what is ready");
  const char* broken = closed() ? nullptr : ready_.broken_invariant();
  expect_invariant(!broken, broken ? broken : "what is ready is in order");
  expect_invariant(!closed() || rotation_.size() == 0, "nobody consumes from a deleted queue");
}

void Queue::mark_delivered() {
  if (durable())
    ready_.each_in_memory([this](const QueuedMessage& entry) { mark_delivered(entry); });
}

void Queue::mark_delivered(const QueuedMessage& entry) {
  if (!durable() || !entry.redelivered || !entry.is_logged()) return;
  context_.journal.mark_delivered(ref_of(entry));
}

}  // namespace haypile::engine
