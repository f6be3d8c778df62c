#include "engine/subscription_registry.hpp"

namespace haypile::engine {

void SubscriptionRegistry::detach_jobs(const Subscriptions& subscriptions) {
  for (SettlingJob& job : settling_jobs_) {
    if (job.channel == &subscriptions) job.channel = nullptr;
  }
}

// When a job is done, its queues give out messages again.
void SubscriptionRegistry::continue_settling(const Portion& portion) {
  while (!settling_jobs_.empty() && !portion.is_used_up()) {
    SettlingJob& job = settling_jobs_.front();
    if (job.channel) {
      job.channel->continue_settling(job, portion);
    } else {
      continue_without_channel(job, portion);
    }
    if (job.messages.size() > 0) return;
    const SettlingJob done = std::move(job);
    settling_jobs_.pop_front();
    for (Queue* queue : done.paused_queues) {
      queue->resume_dispatch();
      dead_lettering_.pass_on_fresh();
      topology_.free_if_finished(*queue);
    }
  }
}

void SubscriptionRegistry::continue_without_channel(SettlingJob& job, const Portion& portion) {
  Affected affected;
  TaggedMessage message;
  while (!portion.is_used_up() && job.messages.take_first(job.messages.last_tag(), message)) {
    affected.add(message.queue, nullptr);
    context_.work.spend(1);
    message.queue->settle(std::move(message.entry), job.how);
  }
  for (Queue* queue : affected.queues())
    queue->dispatch();
  dead_lettering_.pass_on_fresh();
  for (Queue* queue : affected.queues())
    topology_.free_if_finished(*queue);
}

void SubscriptionRegistry::set_unacked_max(const UnackedMax& count) {
  const UnackedMax before = std::exchange(unacked_max_, count);
  if (count.to_consumers > before.to_consumers) limits_to_lift_.merge(limited_);
}

void SubscriptionRegistry::continue_lifting_limits(const Portion& portion) {
  while (!limits_to_lift_.empty() && !portion.is_used_up()) {
    context_.work.spend(1);
    Subscriptions& subscriptions = **limits_to_lift_.begin();
    subscriptions.lift_limit();
    subscriptions.resume_parked();
    dead_lettering_.pass_on_fresh();
  }
}

}  // namespace haypile::engine
