// Transactions: what is published and settled waits for tx.commit, and then becomes durable
// together.
#include <string>
#include <vector>

#include "session/amqp_property_codec.hpp"
#include "session/channel.hpp"

namespace haypile::session {

using amqp::ReplyCode;

namespace {

// A commit is one step for which all other clients wait. So the number of its messages is limited,
// and so is the work of bringing them to their queues.
constexpr std::size_t messages_max = 100'000;
constexpr std::uint64_t routing_units_max = 100'000;
// A smaller transaction needs no look at the disk: the log's reserve has room for it.
constexpr std::size_t looked_at_bytes = 1u << 20;

}  // namespace

Fault Channel::check_is_transactional() const {
  if (transactional_) return {};
  return {ReplyCode::precondition_failed, "channel is not transactional"};
}

Fault Channel::handle(const amqp::tx::Select&) {
  if (confirms_.enabled()) {
    return {ReplyCode::precondition_failed, "cannot switch from confirm to tx mode"};
  }
  transactional_ = true;
  send(amqp::tx::SelectOk{});
  return {};
}

// What would be refused is refused at once. Queues are looked for at the commit.
Fault Channel::publish_later(const engine::PublishRequest& request) {
  if (Fault fault = engine_.check_publish(request.message.exchange)) return fault;
  if (pending_.size() == messages_max) {
    return {ReplyCode::precondition_failed,
            "more than " + std::to_string(messages_max) + " messages in a transaction"};
  }
  std::size_t bytes = sizeof(Pending) + sizeof(engine::Message) + request.message.body.size() +
                      request.message.properties.size();
  for (const std::string_view key : request.more_keys)
    bytes += sizeof(std::string) + key.size();
  context_.count_transaction(bytes, 0);
  pending_bytes_ += bytes;
  if (context_.transaction_bytes > context_.settings.transaction_max_bytes) {
    return {ReplyCode::precondition_failed,
            "transactions of this connection larger than the maximum of " +
                std::to_string(context_.settings.transaction_max_bytes) + " bytes"};
  }
  if (context_.are_transactions_scarce()) {
    return {ReplyCode::precondition_failed,
            "the open transactions of all connections take " +
                std::to_string(context_.memory.transaction_bytes()) +
                " bytes, too much for one of " + std::to_string(context_.transaction_bytes)};
  }
  pending_.push_back({request.draft ? std::move(*request.draft) : engine_.make_draft(request),
                      request.traits,
                      {request.more_keys.begin(), request.more_keys.end()},
                      content_.mandatory()});
  return {};
}

void Channel::forget_transaction() {
  std::vector<Pending>().swap(pending_);
  context_.count_transaction(0, std::exchange(pending_bytes_, 0));
}

// The request and its views are valid only during `visit(request)`.
template <class Visit>
void Channel::with_request(Pending& pending, Visit visit) {
  const engine::MessageView message = pending.message.message()->view();
  const std::vector<std::string_view> more_keys(pending.more_keys.begin(), pending.more_keys.end());
  // An exchange that was deleted meanwhile leads nowhere.
  visit(engine::PublishRequest{.message = message,
                               .traits = pending.traits,
                               .headers = headers_in(message.properties),
                               .more_keys = more_keys,
                               .draft = &pending.message});
}

bool Channel::leads_too_far() {
  if (pending_.size() < 2) return false;
  const engine::Portion portion(engine_.work(), routing_units_max);
  for (Pending& pending : pending_) {
    with_request(pending,
                 [&](const engine::PublishRequest& request) { engine_.try_route(request); });
    if (portion.is_used_up()) return true;
  }
  return false;
}

// Everything that can refuse the whole commit comes before the first change: the work of routing,
// then room on the disk. Inside the group, messages come before settlements, and all of them become
// durable together or not at all. A queue that rejects a message (it is full) is noticed only
// there: the rest is committed, and the channel is closed with an error.
Fault Channel::handle(const amqp::tx::Commit&) {
  if (Fault fault = check_is_transactional()) return fault;
  if (leads_too_far()) {
    return {ReplyCode::precondition_failed,
            "transaction not committed: its messages go to too many queues"};
  }
  if (pending_bytes_ > looked_at_bytes && pending_bytes_ > context_.host.disk_room()) {
    return {ReplyCode::precondition_failed, "transaction not committed: the disk has no room for " +
                                                std::to_string(pending_bytes_) + " bytes more"};
  }
  bool rejected = false;
  {
    const engine::Group group = engine_.begin_group();
    for (Pending& pending : pending_) {
      with_request(pending, [&](const engine::PublishRequest& request) {
        const engine::PublishResult result = engine_.publish(request);
        if (result.queue_count == 0 && pending.mandatory) return_unroutable(request);
        rejected = rejected || result.rejected;
      });
    }
    subscriptions_.settle_held();
  }
  forget_transaction();
  if (rejected) {
    return {ReplyCode::precondition_failed,
            "transaction not committed as a whole: a queue was full and rejected messages of it"};
  }
  send_when_durable(amqp::tx::CommitOk{});
  return {};
}

// Messages that were acknowledged in the transaction are unacked again; they do not return to their
// queue.
Fault Channel::handle(const amqp::tx::Rollback&) {
  if (Fault fault = check_is_transactional()) return fault;
  forget_transaction();
  subscriptions_.release_held();
  send(amqp::tx::RollbackOk{});
  return {};
}

}  // namespace haypile::session
