// The subscriptions of all channels, and what is done for them in turns.
#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "engine/dead_lettering.hpp"
#include "engine/queue_context.hpp"
#include "engine/settling_job.hpp"
#include "engine/subscriptions.hpp"
#include "engine/text_hash.hpp"
#include "engine/topology.hpp"

namespace haypile::engine {

// How many messages a channel may have unacked.
struct UnackedMax {
  // A channel with this many gets no more until it has settled half of them. At least 1.
  std::size_t to_consumers = std::numeric_limits<std::size_t>::max();
  // The limit for Subscriptions::should_put_off_get().
  std::size_t to_gets = std::numeric_limits<std::size_t>::max();

  bool operator==(const UnackedMax&) const = default;
};

// Knows the subscriptions of all channels and continues their unfinished work. If a channel
// acknowledges, returns or rejects more messages than one call settles, the rest is a job that
// continues in later turns, in the order of the calls. Belongs to the engine's thread.
class SubscriptionRegistry {
 public:
  // All parameters must outlive the object.
  SubscriptionRegistry(Topology& topology, DeadLettering& dead_lettering)
      : topology_(topology),
        dead_lettering_(dead_lettering),
        context_(topology.context()),
        reply_receivers_(0, topology.exchange_context().hash) {}

  DeadLettering& dead_lettering() { return dead_lettering_; }

  // A Subscriptions object calls these when it begins and ends.
  void add(Subscriptions& subscriptions) { all_.insert(&subscriptions); }
  void remove(Subscriptions& subscriptions) { all_.erase(&subscriptions); }

  // Direct reply-to: the receiver of messages that are published with that routing key.
  void add_reply_receiver(const std::string& name, Subscriptions& subscriptions) {
    reply_receivers_.emplace(name, &subscriptions);
  }
  void remove_reply_receiver(const std::string& name) { reply_receivers_.erase(name); }
  bool has_reply_receivers() const { return !reply_receivers_.empty(); }
  // Null if there is none.
  Subscriptions* reply_receiver(std::string_view name) const {
    const auto found = reply_receivers_.find(name);
    return found == reply_receivers_.end() ? nullptr : found->second;
  }

  // Settles the job's messages in later turns.
  void settle_later(SettlingJob job) { settling_jobs_.push_back(std::move(job)); }
  // The channel closes; its jobs continue without it.
  void detach_jobs(const Subscriptions& subscriptions);
  void continue_settling(const Portion& portion);
  bool has_settling_jobs() const { return !settling_jobs_.empty(); }

  const UnackedMax& unacked_max() const { return unacked_max_; }
  void set_unacked_max(const UnackedMax& count);
  // A Subscriptions object calls these when it gets nothing because of the limit, and when it gets
  // messages again.
  void note_limited(Subscriptions& subscriptions) { limited_.insert(&subscriptions); }
  void note_unlimited(Subscriptions& subscriptions) {
    limited_.erase(&subscriptions);
    limits_to_lift_.erase(&subscriptions);
  }
  // Whether the object's limit will be lifted in a later turn.
  bool is_limit_to_lift(Subscriptions& subscriptions) const {
    return limits_to_lift_.contains(&subscriptions);
  }
  void continue_lifting_limits(const Portion& portion);

  bool has_work_left() const { return !settling_jobs_.empty() || !limits_to_lift_.empty(); }

  template <class Visit>
  void each(Visit visit) {
    for (Subscriptions* subscriptions : all_)
      visit(*subscriptions);
  }
  template <class Visit>
  void each_job(Visit visit) {
    for (SettlingJob& job : settling_jobs_)
      visit(job);
  }
  std::size_t limited_count() const { return limited_.size() + limits_to_lift_.size(); }

 private:
  void continue_without_channel(SettlingJob& job, const Portion& portion);

  Topology& topology_;
  DeadLettering& dead_lettering_;
  QueueContext& context_;
  std::unordered_set<Subscriptions*> all_;
  StringMap<Subscriptions*> reply_receivers_;
  std::deque<SettlingJob> settling_jobs_;
  UnackedMax unacked_max_;
  // Subscriptions that get nothing because of unacked_max_, and those of them whose limit is to be
  // lifted.
  std::unordered_set<Subscriptions*> limited_;
  std::unordered_set<Subscriptions*> limits_to_lift_;
};

}  // namespace haypile::engine
