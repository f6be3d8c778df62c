#include "engine/dead_lettering.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "engine/group.hpp"

namespace haypile::engine {

namespace {
// The most that one call passes on of the letters it has caused, in units of work.
constexpr std::uint64_t units_per_call = 500;
}  // namespace

// A call does not pass on letters of earlier calls. If too many letters wait, the caller's share of
// this turn ends, so that it cannot cause more of them.
void DeadLettering::pass_on_own() {
  DeadLetters& letters = context_.letters;
  const bool others_wait = letters.has_waiting();
  letters.line_up_last();
  if (!others_wait) pass_on(units_per_call);
  if (letters.is_full()) context_.work.use_up_share();
}

// The letters that a letter causes come next, before its siblings, so that few wait even where
// letters multiply.
void DeadLettering::pass_on(std::uint64_t units) {
  const Portion portion(context_.work, units);
  DeadLetters& letters = context_.letters;
  DeadLetter letter;
  while (!portion.is_used_up() && context_.journal.keeps_up() && letters.take(letter)) {
    pass_on(letter);
    letters.line_up_first();
  }
}

// The new message and the end of the old one are in one group: after a crash there is one of them.
void DeadLettering::pass_on(DeadLetter& letter) {
  Queue& queue = *letter.queue;
  {
    const Group group(context_);
    if (!queue.closed() && queue.read_back(letter.entry)) republish(letter);
    queue.letter_passed_on(letter.entry);
  }
  topology_.free_if_finished(queue);
}

// Without an exchange, or without a queue that takes it, a dead letter is dropped, as in RabbitMQ.
// Queues in which it has died before are left out, so a letter that can only go round in a circle
// is dropped, too.
void DeadLettering::republish(const DeadLetter& letter) {
  const QueueOptions& options = letter.queue->options();
  const std::string& name = letter.queue->name();
  const Message& message = *letter.entry.message;
  context_.work.spend(2);
  context_.work.spend_decoding(message.properties().size());
  Exchange* exchange = topology_.find_exchange(*options.dead_letter_exchange);
  if (!exchange && !options.dead_letter_exchange->empty()) return;
  DeadMessage dead = context_.property_codec.after_death(
      message.view(), {.queue = name,
                       .reason = letter.reason,
                       .wall_time = wall_time(),
                       .keys_replaced = options.dead_letter_routing_key.has_value()});
  if (dead.properties.empty() || !limits_.may_go_on(dead.queues_passed.size(), name)) return;
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
  // The letter goes to the queues that were found. If some are missing, nobody could be told.
  static_cast<void>(publisher_.route(request, exchange));
  publisher_.remove_targets(dead.queues_passed);
  std::vector<Queue*>& targets = publisher_.targets();
  targets.resize(limits_.grant_copies(targets.size(), dead.mark, context_.now, name));
  if (targets.empty()) return;
  if (dead.mark.original != 0) {
    dead.properties = context_.property_codec.with_mark(dead.properties, dead.mark);
    request.message.properties = dead.properties;
  }
  publisher_.enqueue(request);
}

}  // namespace haypile::engine
