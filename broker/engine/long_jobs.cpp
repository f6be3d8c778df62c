// What takes longer than one call may: it is begun there, and goes on in turns of its own.
#include <utility>

#include "engine/engine.hpp"

namespace haypile::engine {

namespace {
// Out of several tables, which are mostly not at hand; and out of the journal's.
constexpr std::uint64_t unbind_units = 2;
constexpr std::uint64_t release_units = 3;
}  // namespace

void Engine::detach_settling_jobs(Subscriptions& channel) {
  for (SettlingJob& settling : settling_jobs_) {
    if (settling.channel == &channel) settling.channel = nullptr;
  }
}

// One after another: what was said first is done first.
void Engine::continue_settling(const Portion& portion) {
  while (!settling_jobs_.empty() && !portion.is_used_up()) {
    SettlingJob& settling = settling_jobs_.front();
    if (settling.channel) {
      settling.channel->continue_settling(settling, portion);
    } else {
      continue_without_channel(settling, portion);
    }
    if (settling.messages.size() > 0) return;
    const SettlingJob done = std::move(settling);
    settling_jobs_.pop_front();
    for (Queue* queue : done.paused_queues) {
      queue->resume_dispatch();
      pass_on_fresh_letters();
      free_if_finished(*queue);
    }
  }
}

void Engine::continue_without_channel(SettlingJob& settling, const Portion& portion) {
  Affected touched;
  TaggedMessage message;
  while (!portion.is_used_up() &&
         settling.messages.take_first(settling.messages.last_tag(), message)) {
    touched.add(message.queue, nullptr);
    work().spend(1);
    message.queue->settle(std::move(message.entry), settling.how);
  }
  for (Queue* queue : touched.queues())
    queue->dispatch();
  pass_on_fresh_letters();
  for (Queue* queue : touched.queues())
    free_if_finished(*queue);
}

void Engine::continue_discarding(const Portion& portion) {
  while (!discarding_.empty() && !portion.is_used_up()) {
    Queue& queue = *discarding_.front();
    queue.discard_ready(portion);
    if (queue.ready_count() > 0) return;
    discarding_.pop_front();
    free_if_finished(queue);
  }
}

void Engine::continue_removing(const Portion& portion) {
  while (!gone_owners_.empty()) {
    const auto owned = exclusive_.find(gone_owners_.front());
    if (owned == exclusive_.end()) {
      gone_owners_.pop_front();
      continue;
    }
    if (portion.is_used_up()) return;
    remove_queue(*owned->second.begin()->second);
  }
}

void Engine::set_unacked_max(const UnackedMax& count) {
  const UnackedMax before = std::exchange(unacked_max_, count);
  if (count.to_consumers > before.to_consumers) limits_to_lift_.merge(limited_);
}

void Engine::continue_lifting_limits(const Portion& portion) {
  while (!limits_to_lift_.empty() && !portion.is_used_up()) {
    work().spend(1);
    Subscriptions& channel = **limits_to_lift_.begin();
    channel.lift_limit();
    channel.resume_parked();
    pass_on_fresh_letters();
  }
}

namespace {

// To or from what has been deleted; null if none is left.
Binding* next_binding(Queue* queue, Exchange* exchange) {
  if (exchange && exchange->in_use()) return &exchange->first_binding();
  const Destination& destination = queue ? static_cast<Destination&>(*queue) : *exchange;
  return destination.incoming().empty() ? nullptr : destination.incoming().back();
}

}  // namespace

void Engine::continue_unbinding(const Portion& portion, std::size_t count_left) {
  while (unbinding_.size() > count_left && !portion.is_used_up()) {
    UnbindingJob& last = unbinding_.back();
    if (Binding* binding = next_binding(last.queue, last.exchange.get())) {
      Exchange& source = *binding->source;
      drop(*binding);
      binding_left(source);
      continue;
    }
    work().spend(1);
    const UnbindingJob done = std::move(last);
    unbinding_.pop_back();
    if (!done.queue) continue;
    done.queue->set_unbound();
    free_if_finished(*done.queue);
  }
}

// It went with one of its ends.
void Engine::drop(Binding& binding) {
  work().spend(unbind_units);
  if (binding.is_durable()) {
    work().spend(release_units);
    context_.journal.release_binding(binding.definition);
  }
  binding.source->remove(binding);
}

// Drops what is bound to it and gone. False too if the portion ends in the middle of that.
bool Engine::is_in_use(Exchange& exchange, const Portion& portion) {
  while (exchange.in_use() && !portion.is_used_up()) {
    Binding& binding = exchange.first_binding();
    if (!binding.is_gone()) return true;
    drop(binding);
  }
  return false;
}

}  // namespace haypile::engine
