#include "engine/engine.hpp"

#include <utility>

namespace haypile::engine {

namespace {
// The most that one call of advance() does, in units of work, and the part of it for one kind of
// job before the next kind has its turn.
constexpr std::uint64_t units_per_advance = 10'000;
constexpr std::uint64_t units_per_job = 1000;
// How often a clean stop tries to pass on dead letters.
constexpr int last_rounds = 100;
}  // namespace

Engine::Engine(std::string vhost, Journal& journal, const PropertyCodec& property_codec,
               std::uint64_t hash_seed)
    : context_{journal, property_codec},
      topology_(std::move(vhost), context_, hash_seed),
      publisher_(topology_),
      dead_lettering_(topology_, publisher_),
      registry_(topology_, dead_lettering_),
      mover_(context_, registry_) {}

Error Engine::check_publish(std::string_view name) const {
  if (name.empty()) return {};
  const Exchange* exchange = topology_.find_exchange(name);
  if (!exchange) return topology_.check_exchange(name);
  if (exchange->definition().internal) {
    return {ErrorCode::access_refused, "cannot publish to internal exchange '" + std::string(name) +
                                           "' in vhost '" + vhost() + "'"};
  }
  return {};
}

void Engine::try_route(const PublishRequest& request) {
  const std::string_view name = request.message.exchange;
  Exchange* exchange = name.empty() ? nullptr : topology_.exchange_named(name);
  if (!name.empty() && !exchange) return;
  static_cast<void>(publisher_.route(request, exchange));
  work().spend(publisher_.targets().size());
}

PublishResult Engine::publish(const PublishRequest& request) {
  Exchange* exchange = nullptr;
  if (!request.message.exchange.empty()) {
    exchange = topology_.exchange_named(request.message.exchange);
    if (!exchange || exchange->definition().internal) {
      return {check_publish(request.message.exchange)};
    }
  }
  PublishResult result;
  if (!publisher_.route(request, exchange)) {
    result.error = {ErrorCode::precondition_failed,
                    "too many routing keys for the bindings of exchange '" +
                        std::string(request.message.exchange) + "' in vhost '" + vhost() + "'"};
    result.rejected = true;
    return result;
  }
  if (registry_.has_reply_receivers() && !exchange) deliver_reply(request, result);
  result.queue_count += publisher_.targets().size();
  if (publisher_.targets().empty()) return result;
  result.rejected = !publisher_.enqueue(request);
  dead_lettering_.pass_on_fresh();
  return result;
}

void Engine::deliver_reply(const PublishRequest& request, PublishResult& result) {
  Subscriptions* receiver = registry_.reply_receiver(request.message.routing_key);
  if (!receiver) return;
  const MessagePtr message =
      request.draft ? request.draft->message()
                    : Message::make(request.message, request.traits, 0, context_.memory);
  if (receiver->deliver_reply(message)) result.queue_count = 1;
}

// All kinds of jobs take turns.
void Engine::advance(TimeMs now) {
  set_now(now);
  work().begin_share();
  Removals& removals = topology_.removals();
  const Portion portion(work(), units_per_advance);
  while (!portion.is_used_up() && !work().is_share_used_up()) {
    dead_lettering_.pass_on(units_per_job);
    registry_.continue_settling(Portion(work(), units_per_job));
    removals.continue_discarding(Portion(work(), units_per_job));
    removals.continue_removing(Portion(work(), units_per_job));
    removals.continue_unbinding(Portion(work(), units_per_job));
    registry_.continue_lifting_limits(Portion(work(), units_per_job));
    if (Queue* queue = context_.timers.due(context_.now)) {
      handle_deadline(*queue);
    } else if (!has_work_left()) {
      return;
    }
  }
}

void Engine::handle_deadline(Queue& queue) {
  work().spend(1);
  queue.on_deadline();
  dead_lettering_.pass_on_fresh();
  if (queue.is_overdue()) topology_.remove_queue(queue);
}

// Dead letters that are left will be in their old queues again after the next start.
void Engine::mark_delivered() {
  while (registry_.has_settling_jobs())
    registry_.continue_settling(Portion(work(), units_per_job));
  for (int i = 0; i < last_rounds && !context_.letters.empty(); ++i)
    dead_lettering_.pass_on(units_per_job);
  topology_.each_queue([](Queue& queue) { queue.mark_delivered(); });
  context_.letters.each([](DeadLetter& letter) {
    if (letter.reason == DeathReason::rejected) letter.entry.redelivered = true;
    letter.queue->mark_delivered(letter.entry);
  });
}

}  // namespace haypile::engine
