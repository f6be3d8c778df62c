#include "worker.hpp"

#include <algorithm>
#include <iostream>
#include <thread>

#include <unistd.h>

#include "environment.hpp"
#include "printer.hpp"
#include "signals.hpp"

namespace haypile::cli {

namespace {

using std::chrono::milliseconds;

// A message whose command has failed is requeued only after this time: if no other worker takes it,
// it comes back at once.
constexpr milliseconds requeue_pause{1000};
// How long to wait if nothing is due, and how long without a consumer, when nothing wakes us.
constexpr milliseconds turn_max{1000};
constexpr milliseconds turn_without_consumer_max{50};
// Without a consumer the broker is asked so often whether it is still there.
constexpr milliseconds ask_interval{1000};
// More of pausing messages are not held beyond the prefetch.
constexpr std::size_t paused_max_bytes = 64u << 20;

}  // namespace

Worker::Worker(const WorkOptions& options, Connection& connection, Commands& commands)
    : options_(options),
      commands_(commands),
      channel_(connection.channel()),
      spares_(channel_, options.common.queue, [this](const Message& message) { take(message); }) {
  declare(channel_, options_.common.queue, options_.common);
  if (options_.try_count != 0 && after_failure(options_, options_.try_count) == Outcome::keep) {
    const std::string& name = options_.failed_queue;
    failed_queue_.emplace(connection, name.empty() ? options_.common.queue + ".failed" : name,
                          options_.common);
  }
  channel_.basic_qos(options_.prefetch_count != 0 ? options_.prefetch_count : options_.job_count);
  consumer_tag_ = channel_.basic_consume(options_.common.queue,
                                         [this](const Message& message) { take(message); });
  Signals::wake(&channel_);
}

Worker::~Worker() {
  Signals::wake(nullptr);
}

bool Worker::is_ending() const {
  return Signals::interrupt_count() != 0 || !error_.empty();
}

int Worker::run() {
  while (!is_ending())
    turn();
  stop_consuming();
  while (commands_.count() != 0) {
    hurry();
    turn_without_consumer();
  }
  if (!error_.empty()) throw Error(error_);
  return is_breaking_off_ ? exit_interrupted : exit_ok;
}

// Messages that are not started return to the queue: those in the channel with the cancellations,
// those that are held after them.
void Worker::stop_consuming() {
  if (is_consuming_) {
    spares_.cancel_all();
    channel_.basic_cancel(consumer_tag_);
  }
  for (const std::uint64_t tag : waiting_)
    settle(tag, Settlement::requeue);
  waiting_.clear();
  for (const auto& [end, pause] : paused_)
    settle(pause.delivery_tag, Settlement::requeue);
  paused_.clear();
}

// The second interrupt ends the commands, a further one does not wait any longer.
void Worker::hurry() {
  const int count = Signals::interrupt_count();
  if (count >= 2 && !is_breaking_off_) {
    is_breaking_off_ = true;
    commands_.end_all(Clock::now());
  }
  if (count >= 3 && !is_killing_) {
    is_killing_ = true;
    commands_.kill_all();
  }
}

milliseconds Worker::time_to_wake(Clock::time_point now) const {
  Clock::time_point wake_at = now + turn_max;
  if (const auto at = commands_.wake_at(now)) wake_at = std::min(wake_at, *at);
  if (!paused_.empty()) wake_at = std::min(wake_at, paused_.begin()->first);
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(wake_at - now));
}

// Waits until a child ends, a message or a signal comes, or something is due, and handles it.
void Worker::turn() {
  if (!channel_.consume_for(time_to_wake(Clock::now())) && !is_ending()) {
    is_consuming_ = false;
    error_ = "the queue '" + options_.common.queue + "' has been deleted";
  }
  go_on();
}

// Does the same when there is no consumer: then the channel does not wait.
void Worker::turn_without_consumer() {
  std::this_thread::sleep_for(std::min(turn_without_consumer_max, time_to_wake(Clock::now())));
  if (Clock::now() - asked_at_ >= ask_interval) {
    channel_.basic_qos(1);
    asked_at_ = Clock::now();
  }
  go_on();
}

void Worker::go_on() {
  for (const Commands::Ended& ended : commands_.collect(Clock::now()))
    finish(ended);
  while (!paused_.empty() && paused_.begin()->first <= Clock::now()) {
    const Pause pause = std::move(paused_.begin()->second);
    paused_.erase(paused_.begin());
    continue_after(pause);
  }
  if (is_ending()) return;
  start_waiting();
  spares_.set_count(wanted_spare_count());
}

void Worker::take(const Message& message) {
  if (options_.command.empty()) {
    print(message, options_.common.queue, options_.output);
    channel_.basic_ack(message.delivery_tag);
    return;
  }
  spares_.on_message(message.consumer_tag());
  held_.emplace(message.delivery_tag, Held{message});
  waiting_.push_back(message.delivery_tag);
  start_waiting();
}

void Worker::start_waiting() {
  while (!is_ending() && !waiting_.empty() && commands_.count() < options_.job_count) {
    const std::uint64_t tag = waiting_.front();
    const Held& held = held_.at(tag);
    const Properties properties = held.message.properties();
    const std::uint64_t attempt = delivery_number(properties) + held.failure_count;
    try {
      commands_.start(tag, held.message.body(), message_environment(properties, attempt),
                      Clock::now());
      waiting_.pop_front();
    } catch (const Error& error) {
      error_ = error.what();
    }
  }
}

void Worker::finish(const Commands::Ended& ended) {
  const std::uint64_t tag = ended.delivery_tag;
  if (ended.failure.empty()) return settle(tag, Settlement::ack);
  if (is_breaking_off_) return settle(tag, Settlement::requeue);
  Held& held = held_.at(tag);
  const std::uint64_t attempt = delivery_number(held.message.properties()) + held.failure_count;
  ++held.failure_count;
  const Outcome outcome = after_failure(options_, attempt);
  const auto failures = static_cast<unsigned>(std::min<std::uint64_t>(held.failure_count, 1000));
  const milliseconds time = options_.backoff.pause(failures);
  std::cerr << colored("failed", "31") << " (" << ended.failure
            << "): " << after_failure_text(outcome, attempt, time) << std::endl;
  switch (outcome) {
    case Outcome::again:
      return pause(tag, time, Next::run, ended.failure);
    case Outcome::requeue:
      return pause(tag, requeue_pause, Next::requeue, ended.failure);
    case Outcome::keep:
      return keep(tag, ended.failure);
    case Outcome::drop:
      return settle(tag, Settlement::drop);
  }
}

std::string Worker::after_failure_text(Outcome outcome, std::uint64_t attempt,
                                       milliseconds pause) const {
  const std::string tries = options_.try_count == 0 ? ""
                                                    : "try " + std::to_string(attempt) + " of " +
                                                          std::to_string(options_.try_count) + "; ";
  if (outcome == Outcome::drop) return tries + "the message is dropped";
  if (outcome == Outcome::keep) {
    return tries + "the message goes to '" + shown(failed_queue_->name()) + "'";
  }
  if (outcome == Outcome::requeue || is_ending()) {
    return tries + "the message goes back to the queue";
  }
  return tries + "again in " + seconds_text(pause);
}

// There are no pauses once the end has been asked for.
void Worker::pause(std::uint64_t delivery_tag, milliseconds time, Next next,
                   const std::string& reason) {
  if (is_ending()) return settle(delivery_tag, Settlement::requeue);
  paused_.emplace(Clock::now() + time, Pause{delivery_tag, next, reason});
  paused_bytes_ += held_.at(delivery_tag).message.body().size();
}

void Worker::continue_after(const Pause& pause) {
  paused_bytes_ -= held_.at(pause.delivery_tag).message.body().size();
  switch (pause.next) {
    case Next::run:
      return waiting_.push_back(pause.delivery_tag);
    case Next::requeue:
      return settle(pause.delivery_tag, Settlement::requeue);
    case Next::keep:
      return keep(pause.delivery_tag, pause.reason);
  }
}

void Worker::keep(std::uint64_t delivery_tag, const std::string& reason) {
  const Held& held = held_.at(delivery_tag);
  const std::uint64_t attempts =
      delivery_number(held.message.properties()) + held.failure_count - 1;
  const std::string why = failed_queue_->store(held.message, reason, attempts);
  if (why.empty()) return settle(delivery_tag, Settlement::ack);
  std::cerr << "haypile: cannot put a message into '" << shown(failed_queue_->name())
            << "': " << shown(why) << "; it stays in its queue, and this is tried again"
            << std::endl;
  pause(delivery_tag, std::max(options_.backoff.most, requeue_pause), Next::keep, reason);
}

// With tries, others take the places of the messages that pause. Without them a message pauses for
// a second only, which also keeps a worker that always fails from spinning.
std::size_t Worker::wanted_spare_count() const {
  if (options_.try_count == 0 || paused_bytes_ > paused_max_bytes) return 0;
  return paused_.size();
}

void Worker::settle(std::uint64_t delivery_tag, Settlement settlement) {
  const auto held = held_.find(delivery_tag);
  if (!is_ending()) spares_.on_settle(held->second.message.consumer_tag(), wanted_spare_count());
  held_.erase(held);
  if (settlement == Settlement::ack) {
    channel_.basic_ack(delivery_tag);
  } else {
    channel_.basic_nack(delivery_tag, false, settlement == Settlement::requeue);
  }
}

}  // namespace haypile::cli
