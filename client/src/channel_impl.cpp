#include "channel_impl.hpp"

#include <utility>

namespace haypile {

ChannelImpl::ChannelImpl(std::shared_ptr<ConnectionImpl> connection, std::uint16_t number)
    : connection_(std::move(connection)), number_(number) {}

ChannelImpl::~ChannelImpl() {
  connection_->protocol().close_channel(number_);
  if (connection_->protocol().state() == Protocol::State::open) connection_->send_soon();
}

ProtocolChannel& ChannelImpl::state() {
  connection_->check_open();
  ProtocolChannel* channel = connection_->protocol().channel(number_);
  if (!channel || channel->closing) throw ChannelClosed(0, "the channel has been closed", "");
  if (channel->closed) {
    throw ChannelClosed(channel->closed->code, channel->closed->text, channel->closed->method);
  }
  return *channel;
}

bool ChannelImpl::is_open() const {
  const ProtocolChannel* channel = connection_->protocol().channel(number_);
  return connection_->protocol().state() == Protocol::State::open && channel && !channel->closed &&
         !channel->closing;
}

Reply ChannelImpl::answer(amqp::MethodId id, amqp::MethodId other) {
  ProtocolChannel& channel = state();
  connection_->wait_for_answer(
      [&channel] { return channel.reply.has_value() || channel.closed.has_value(); });
  if (!channel.reply) state();
  Reply reply = std::move(*channel.reply);
  channel.reply.reset();
  if (reply.id != id && reply.id != other) {
    connection_->protocol().lost("broken protocol: unexpected " +
                                 std::string(amqp::method_name(reply.id)));
    connection_->check_open();
  }
  dispatch_returns();
  return reply;
}

// Keeps the consumer alive while its callback runs, because the callback may cancel it.
void ChannelImpl::consume(std::optional<Clock::time_point> until) {
  while (!stopped_.exchange(false)) {
    dispatch_returns();
    ProtocolChannel& channel = state();
    forget_cancelled(channel);
    if (!channel.deliveries.empty()) {
      const Message message = std::move(channel.deliveries.front());
      channel.deliveries.pop_front();
      const auto found = callbacks_.find(message.consumer_tag);
      if (found == callbacks_.end()) continue;
      const std::shared_ptr<Consumer> consumer = found->second;
      consumer->callback(message);
      continue;
    }
    if (callbacks_.empty()) return;
    // The event is cleared before wait() looks at stopped_, and stop() sets it after stopped_, so
    // that no stop is missed.
    connection_->event().clear();
    const bool woken = connection_->wait(
        [&] {
          return stopped_ || !channel.deliveries.empty() || !channel.returned.empty() ||
                 !channel.cancelled.empty() || channel.closed;
        },
        until);
    if (!woken && connection_->protocol().state() == Protocol::State::open) return;
  }
}

void ChannelImpl::forget_cancelled(ProtocolChannel& channel) {
  for (const std::string& tag : channel.cancelled)
    callbacks_.erase(tag);
  channel.cancelled.clear();
}

// Deliveries that came before the cancel-ok and were not handled return to the queue.
void ChannelImpl::cancel(std::string_view consumer_tag) {
  call<amqp::basic::CancelOk>(amqp::basic::Cancel{.consumer_tag = consumer_tag});
  const auto found = callbacks_.find(consumer_tag);
  if (found == callbacks_.end()) return;
  const bool no_ack = found->second->no_ack;
  callbacks_.erase(found);
  std::deque<Message>& deliveries = state().deliveries;
  for (const Message& message : deliveries) {
    if (no_ack || message.consumer_tag != consumer_tag) continue;
    send(amqp::basic::Nack{.delivery_tag = message.delivery_tag, .requeue = true});
  }
  std::erase_if(deliveries,
                [&](const Message& message) { return message.consumer_tag == consumer_tag; });
}

void ChannelImpl::dispatch_returns() {
  ProtocolChannel* channel = connection_->protocol().channel(number_);
  while (channel && !channel->returned.empty()) {
    const Message message = std::move(channel->returned.front());
    channel->returned.pop_front();
    if (on_return_) on_return_(message);
    channel = connection_->protocol().channel(number_);
  }
}

void ChannelImpl::stop() noexcept {
  stopped_ = true;
  connection_->event().set();
}

void ChannelImpl::close() {
  if (!is_open()) return;
  connection_->protocol().close_channel(number_);
  connection_->wait_for_answer([this] { return !connection_->protocol().channel(number_); });
}

}  // namespace haypile
