// The way of a message into queues, and out of them unasked: publishing, dead-lettering, expiry.
#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/canary.hpp"
#include "engine/engine.hpp"

namespace haypile::engine {

namespace {
// How many queues a call to advance() looks after.
constexpr int queues_per_advance = 16;
// Dead letters that one call passes on.
constexpr int letters_per_call = 1000;
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

PublishResult Engine::publish(const PublishRequest& request) {
  Exchange* exchange = nullptr;
  if (!request.message.exchange.empty()) {
    exchange = find_exchange(request.message.exchange);
    if (!exchange || exchange->definition().internal) {
      return {check_publish(request.message.exchange)};
    }
  }
  route(request, exchange);
  PublishResult result;
  if (!reply_channels_.empty() && !exchange) deliver_reply(request, result);
  result.queue_count += targets_.size();
  if (targets_.empty()) return result;
  result.rejected = !store(request);
  bury();
  return result;
}

// Fills targets_. `exchange` is the message's, null for the default exchange.
void Engine::route(const PublishRequest& request, Exchange* exchange) {
  targets_.clear();
  const MessageView& view = request.message;
  if (exchange) {
    keys_.assign(1, view.routing_key);
    keys_.insert(keys_.end(), request.more_keys.begin(), request.more_keys.end());
    router_.route(*exchange, keys_, request.headers, targets_);
    return;
  }
  if (!request.more_keys.empty()) return route_by_names(request);
  if (Queue* queue = named_queue(view.routing_key)) targets_.push_back(queue);
}

void Engine::route_by_names(const PublishRequest& request) {
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
  const auto found = reply_channels_.find(request.message.routing_key);
  if (found == reply_channels_.end()) return;
  const MessagePtr message =
      Message::make(request.message, request.traits, 0, surroundings_.memory);
  if (found->second->deliver_reply(*message)) result.queue_count = 1;
}

// Takes the queues out of targets_ that refuse the message, and sees whether those that are left
// want to know its time.
void Engine::apply_rules(const PublishRequest& request, bool& rejected, bool& timed) {
  const auto refuses = [&](Queue* queue) {
    if (!queue->refuses(request.message.body.size())) return false;
    if (queue->options().overflow == Overflow::reject_publish_dlx &&
        queue->options().dead_letter_exchange) {
      surroundings_.dead_letters.push_back({queue, Entry{keep(request)}, DeathReason::maxlen});
    }
    return true;
  };
  rejected = std::erase_if(targets_, refuses) > 0;
  timed = timed || std::ranges::any_of(targets_, &Queue::is_timed);
}

// Into targets_. False if one of them refuses the message.
bool Engine::store(const PublishRequest& request) {
  bool rejected = false;
  bool timed = request.traits.ttl_ms != MessageTraits::no_ttl;
  bool has_rules = false;
  for (const Queue* queue : targets_)
    has_rules = has_rules || queue->has_rules();
  if (has_rules) {
    apply_rules(request, rejected, timed);
    if (targets_.empty()) return false;
  }
  if (timed) {
    MessageView view = request.message;
    view.published_at = surroundings_.now;
    put(view, request.traits);
  } else {
    put(request.message, request.traits);
  }
  return !rejected;
}

// One record in the journal for all of targets_, one message in memory.
void Engine::put(const MessageView& view, const MessageTraits& traits) {
  durable_targets_.clear();
  if (traits.persistent || HAYPILE_CANARY(transient_logged)) {
    for (const Queue* queue : targets_) {
      if (queue->durable()) durable_targets_.push_back(queue->definition().id);
    }
  }
  const LogPosition position =
      durable_targets_.empty() ? 0 : surroundings_.journal.publish(view, durable_targets_);
  const MessagePtr message = Message::make(view, traits, position, surroundings_.memory);
  for (Queue* queue : targets_)
    queue->push(message);
}

// A queue that a dead letter comes to may have to give up others: those are next, before its
// siblings, so that few wait even where letters multiply.
void Engine::bury_some() {
  take_up(letters_.end());
  for (int i = 0; i < letters_per_call && !letters_.empty(); ++i) {
    const DeadLetter letter = std::move(letters_.front());
    letters_.pop_front();
    bury(letter);
    take_up(letters_.begin());
  }
}

void Engine::take_up(std::deque<DeadLetter>::const_iterator before) {
  std::vector<DeadLetter>& fresh = surroundings_.dead_letters;
  if (fresh.empty()) return;
  letters_.insert(before, std::make_move_iterator(fresh.begin()),
                  std::make_move_iterator(fresh.end()));
  fresh.clear();
}

// The queue is deleted, and with it what it had given up and nobody has taken yet.
void Engine::forget_letters(Queue& queue) {
  std::erase_if(letters_, [&](const DeadLetter& letter) {
    if (letter.queue != &queue) return false;
    queue.forget(letter.entry);
    return true;
  });
}

void Engine::bury(const DeadLetter& letter) {
  const Group group(*this);
  pass_on(letter);
  letter.queue->forget(letter.entry);
}

// Without an exchange, or a queue, that takes it a dead letter is dropped, as in RabbitMQ.
void Engine::pass_on(const DeadLetter& letter) {
  const QueueOptions& options = letter.queue->options();
  Exchange* exchange = find_exchange(*options.dead_letter_exchange);
  if (!exchange && !options.dead_letter_exchange->empty()) return;
  const Message& message = *letter.entry.message;
  const std::string properties = surroundings_.wire.after_death(
      message.view(), {.queue = letter.queue->name(),
                       .reason = letter.reason,
                       .time = surroundings_.now,
                       .keys_replaced = options.dead_letter_routing_key.has_value()});
  if (properties.empty()) return;
  std::vector<std::string> copies;
  std::string_view key = message.routing_key();
  if (options.dead_letter_routing_key) {
    key = *options.dead_letter_routing_key;
  } else {
    copies = surroundings_.wire.carbon_copies(properties);
  }
  const std::vector<std::string_view> more_keys(copies.begin(), copies.end());
  PublishRequest request{.message = {.exchange = *options.dead_letter_exchange,
                                     .routing_key = key,
                                     .properties = properties,
                                     .body = message.body()},
                         .traits = surroundings_.wire.traits(properties),
                         .headers = surroundings_.wire.headers(properties),
                         .more_keys = more_keys};
  route(request, exchange);
  if (letter.reason != DeathReason::rejected) {
    std::erase_if(targets_, [&](const Queue* queue) {
      return surroundings_.wire.goes_round(properties, queue->name());
    });
  }
  store(request);
}

void Engine::advance(TimeMs now) {
  set_now(now);
  bury();
  for (int i = 0; i < queues_per_advance; ++i) {
    Queue* queue = surroundings_.timers.due(surroundings_.now);
    if (!queue) return;
    queue->on_deadline();
    bury();
    if (queue->is_overdue()) remove_queue(*queue);
  }
}

}  // namespace haypile::engine
