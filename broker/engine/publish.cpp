// The way of a message into queues, and out of them unasked: publishing, dead-lettering, expiry.
#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/canary.hpp"
#include "engine/engine.hpp"

namespace haypile::engine {

namespace {

// What one call passes on of the letters that it has caused, in units; the others are advance()'s.
constexpr std::uint64_t letter_units_per_call = 500;
// What one call to advance() does at most, and how much of one job before it is the turn of the
// next.
constexpr std::uint64_t units_per_advance = 10'000;
constexpr std::uint64_t units_per_job = 1000;

}  // namespace

Error Engine::check_publish(std::string_view name) const {
  if (name.empty()) return {};
  const Exchange* exchange = find_exchange(name);
  if (!exchange) return missing_exchange(name);
  if (exchange->definition().internal) {
    return {ErrorCode::access_refused, "cannot publish to internal exchange '" + std::string(name) +
                                           "' in vhost '" + vhost_ + "'"};
  }
  return {};
}

void Engine::try_route(const PublishRequest& request) {
  const std::string_view name = request.message.exchange;
  Exchange* exchange = name.empty() ? nullptr : named_exchange(name);
  if (!name.empty() && !exchange) return;
  static_cast<void>(route(request, exchange));
  work().spend(targets_.size());
}

PublishResult Engine::publish(const PublishRequest& request) {
  Exchange* exchange = nullptr;
  if (!request.message.exchange.empty()) {
    exchange = named_exchange(request.message.exchange);
    if (!exchange || exchange->definition().internal) {
      return {check_publish(request.message.exchange)};
    }
  }
  PublishResult result;
  if (!route(request, exchange)) {
    result.error = {ErrorCode::precondition_failed,
                    "too many routing keys for the bindings of exchange '" +
                        std::string(request.message.exchange) + "' in vhost '" + vhost_ + "'"};
    result.rejected = true;
    return result;
  }
  if (!reply_receivers_.empty() && !exchange) deliver_reply(request, result);
  result.queue_count += targets_.size();
  if (targets_.empty()) return result;
  result.rejected = !enqueue(request);
  pass_on_fresh_letters();
  return result;
}

// Fills targets_. `exchange` is the message's, null for the default exchange. False if the message
// has too many routing keys, and queues are missing.
bool Engine::route(const PublishRequest& request, Exchange* exchange) {
  targets_.clear();
  if (exchange) return route_through(*exchange, request);
  if (!request.more_keys.empty()) {
    route_by_names(request);
  } else if (Queue* queue = named_queue(request.message.routing_key)) {
    targets_.push_back(queue);
  }
  return true;
}

bool Engine::route_through(Exchange& exchange, const PublishRequest& request) {
  keys_.assign(1, request.message.routing_key);
  keys_.insert(keys_.end(), request.more_keys.begin(), request.more_keys.end());
  const bool is_complete = router_.route(exchange, keys_, request.headers, targets_);
  context_.work.spend(router_.steps() / Router::steps_per_unit);
  return is_complete;
}

void Engine::route_by_names(const PublishRequest& request) {
  context_.work.spend(request.more_keys.size() / Router::steps_per_unit);
  router_.begin();
  if (Queue* queue = named_queue(request.message.routing_key)) router_.add(*queue, targets_);
  for (const std::string_view key : request.more_keys) {
    if (Queue* queue = named_queue(key)) router_.add(*queue, targets_);
  }
}

Queue* Engine::look_up(std::string_view name) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return nullptr;
  return last_named_ = found->second.get();
}

void Engine::deliver_reply(const PublishRequest& request, PublishResult& result) {
  const auto found = reply_receivers_.find(request.message.routing_key);
  if (found == reply_receivers_.end()) return;
  const MessagePtr message =
      request.draft ? request.draft->message()
                    : Message::make(request.message, request.traits, 0, context_.memory);
  if (found->second->deliver_reply(message)) result.queue_count = 1;
}

// Takes the queues out of targets_ that refuse the message; true if there are any.
bool Engine::remove_refusing_targets(const PublishRequest& request) {
  const auto refuses = [&](Queue* queue) {
    if (!queue->refuses(request.message.body.size())) return false;
    if (queue->options().overflow == Overflow::reject_publish_dlx &&
        queue->options().dead_letter_exchange) {
      queue->refuse({make_draft(request).message()});
    }
    return true;
  };
  return std::erase_if(targets_, refuses) > 0;
}

// Into targets_: one record in the journal for all of them, one message in memory. False if one of
// them refuses the message.
bool Engine::enqueue(const PublishRequest& request) {
  bool rejected = false;
  bool has_rules = false;
  for (const Queue* queue : targets_)
    has_rules = has_rules || queue->may_refuse();
  if (has_rules) {
    rejected = remove_refusing_targets(request);
    if (targets_.empty()) return false;
  }
  MessageView view = request.message;
  view.published_at = context_.now;
  durable_targets_.clear();
  if (request.traits.persistent || HAYPILE_CANARY(transient_logged)) {
    for (const Queue* queue : targets_) {
      if (queue->durable()) durable_targets_.push_back(queue->definition().id);
    }
  }
  const LogPosition position =
      durable_targets_.empty() ? 0 : context_.journal.publish(view, durable_targets_);
  const MessagePtr message = request.draft
                                 ? request.draft->finish(position, view.published_at)
                                 : Message::make(view, request.traits, position, context_.memory);
  work().spend(targets_.size(), message->payload_size());
  for (Queue* queue : targets_)
    queue->push(message);
  return !rejected;
}

// The letters of others are not for this call to pass on. Whoever causes more than can be passed on
// goes on in the next turn.
void Engine::pass_on_own_letters() {
  DeadLetters& letters = context_.letters;
  const bool others_wait = letters.has_waiting();
  letters.line_up_last();
  if (!others_wait) pass_on_letters(letter_units_per_call);
  if (letters.is_full()) work().use_up_share();
}

void Engine::pass_on_letters(std::uint64_t units) {
  const Portion portion(work(), units);
  DeadLetters& letters = context_.letters;
  DeadLetter letter;
  while (!portion.is_used_up() && context_.journal.keeps_up() && letters.take(letter)) {
    pass_on_fresh_letters(letter);
    letters.line_up_first();
  }
}

void Engine::pass_on_fresh_letters(DeadLetter& letter) {
  Queue& queue = *letter.queue;
  {
    const Group group(*this);
    if (!queue.closed() && queue.read_back(letter.entry)) republish(letter);
    queue.letter_passed_on(letter.entry);
  }
  free_if_finished(queue);
}

// Without an exchange, or a queue, that takes it a dead letter is dropped, as in RabbitMQ.
void Engine::republish(const DeadLetter& letter) {
  const QueueOptions& options = letter.queue->options();
  const std::string& name = letter.queue->name();
  const Message& message = *letter.entry.message;
  work().spend(2);
  work().spend_decoding(message.properties().size());
  Exchange* exchange = find_exchange(*options.dead_letter_exchange);
  if (!exchange && !options.dead_letter_exchange->empty()) return;
  DeadMessage dead = context_.property_codec.after_death(
      message.view(), {.queue = name,
                       .reason = letter.reason,
                       .wall_time = wall_time(),
                       .keys_replaced = options.dead_letter_routing_key.has_value()});
  if (dead.properties.empty() || !letter_limits_.may_go_on(dead.queues_passed.size(), name)) return;
  const std::vector<std::string_view> more_keys(dead.carbon_copies.begin(),
                                                dead.carbon_copies.end());
  PublishRequest request{
      .message = {.exchange = *options.dead_letter_exchange,
                  .routing_key = options.dead_letter_routing_key ? *options.dead_letter_routing_key
                                                                 : message.routing_key(),
                  .properties = dead.properties,
                  .body = message.body()},
      .traits = dead.traits,
      .headers = exchange ? context_.property_codec.headers(dead.properties) : std::string_view{},
      .more_keys = more_keys};
  // A dead letter goes to those queues that are found: nobody could be told that some are missing.
  static_cast<void>(route(request, exchange));
  remove_targets(dead.queues_passed);
  targets_.resize(letter_limits_.grant_copies(targets_.size(), dead.mark, context_.now, name));
  if (targets_.empty()) return;
  if (dead.mark.original != 0) {
    dead.properties = context_.property_codec.with_mark(dead.properties, dead.mark);
    request.message.properties = dead.properties;
  }
  enqueue(request);
}

// Takes queues of those names out of targets_.
void Engine::remove_targets(const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::vector<const Queue*> queues;
  for (const std::string& name : names) {
    if (const Queue* queue = look_up(name)) queues.push_back(queue);
  }
  if (queues.empty()) return;
  std::ranges::sort(queues);
  std::erase_if(targets_,
                [&](const Queue* queue) { return std::ranges::binary_search(queues, queue); });
}

// All that is left to do takes turns.
void Engine::advance(TimeMs now) {
  set_now(now);
  work().begin_share();
  const Portion portion(work(), units_per_advance);
  while (!portion.is_used_up() && !work().is_share_used_up()) {
    pass_on_letters(units_per_job);
    continue_settling(Portion(work(), units_per_job));
    continue_discarding(Portion(work(), units_per_job));
    continue_removing(Portion(work(), units_per_job));
    continue_unbinding(Portion(work(), units_per_job));
    continue_lifting_limits(Portion(work(), units_per_job));
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
  pass_on_fresh_letters();
  if (queue.is_overdue()) remove_queue(queue);
}

}  // namespace haypile::engine
