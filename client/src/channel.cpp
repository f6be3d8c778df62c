#include <haypile/channel.hpp>

#include <utility>

#include "channel_impl.hpp"

namespace haypile {

using namespace amqp;

Channel::Channel(std::unique_ptr<ChannelImpl> impl) : impl_(std::move(impl)) {}
Channel::~Channel() = default;
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;

QueueInfo Channel::queue_declare(std::string_view name, const QueueOptions& options) {
  const auto ok = impl_->call<queue::DeclareOk>(queue::Declare{.queue = name,
                                                               .passive = options.passive,
                                                               .durable = options.durable,
                                                               .exclusive = options.exclusive,
                                                               .auto_delete = options.auto_delete,
                                                               .arguments = options.arguments});
  return {std::string(ok.queue), ok.message_count, ok.consumer_count};
}

void Channel::queue_bind(std::string_view name, std::string_view exchange,
                         std::string_view routing_key, const Table& arguments) {
  impl_->call<queue::BindOk>(queue::Bind{
      .queue = name, .exchange = exchange, .routing_key = routing_key, .arguments = arguments});
}

void Channel::queue_unbind(std::string_view name, std::string_view exchange,
                           std::string_view routing_key, const Table& arguments) {
  impl_->call<queue::UnbindOk>(queue::Unbind{
      .queue = name, .exchange = exchange, .routing_key = routing_key, .arguments = arguments});
}

std::uint32_t Channel::queue_purge(std::string_view name) {
  return impl_->call<queue::PurgeOk>(queue::Purge{.queue = name}).message_count;
}

std::uint32_t Channel::queue_delete(std::string_view name, bool if_unused, bool if_empty) {
  return impl_
      ->call<queue::DeleteOk>(
          queue::Delete{.queue = name, .if_unused = if_unused, .if_empty = if_empty})
      .message_count;
}

void Channel::exchange_declare(std::string_view name, std::string_view type,
                               const ExchangeOptions& options) {
  impl_->call<exchange::DeclareOk>(exchange::Declare{.exchange = name,
                                                     .type = type,
                                                     .passive = options.passive,
                                                     .durable = options.durable,
                                                     .auto_delete = options.auto_delete,
                                                     .internal = options.internal,
                                                     .arguments = options.arguments});
}

void Channel::exchange_delete(std::string_view name, bool if_unused) {
  impl_->call<exchange::DeleteOk>(exchange::Delete{.exchange = name, .if_unused = if_unused});
}

void Channel::exchange_bind(std::string_view destination, std::string_view source,
                            std::string_view routing_key, const Table& arguments) {
  impl_->call<exchange::BindOk>(exchange::Bind{.destination = destination,
                                               .source = source,
                                               .routing_key = routing_key,
                                               .arguments = arguments});
}

void Channel::exchange_unbind(std::string_view destination, std::string_view source,
                              std::string_view routing_key, const Table& arguments) {
  impl_->call<exchange::UnbindOk>(exchange::Unbind{.destination = destination,
                                                   .source = source,
                                                   .routing_key = routing_key,
                                                   .arguments = arguments});
}

std::uint64_t Channel::basic_publish(std::string_view exchange, std::string_view routing_key,
                                     std::string_view body, const Properties& properties,
                                     bool mandatory) {
  ProtocolChannel& state = impl_->state();
  Protocol& protocol = impl_->connection().protocol();
  std::string raw;
  if (!append_properties(raw, properties)) throw Error("a property is longer than 255 bytes");
  if (raw.size() + 64 > protocol.frame_max_bytes()) {
    throw Error("the properties do not fit into one frame");
  }
  const basic::Publish method{
      .exchange = exchange, .routing_key = routing_key, .mandatory = mandatory};
  if (!append_message(protocol.output(), impl_->number(), method, raw, body,
                      protocol.frame_max_bytes())) {
    throw Error("exchange or routing key is longer than 255 bytes");
  }
  const std::uint64_t number = state.unconfirmed.enabled() ? state.unconfirmed.add() : 0;
  impl_->connection().send_soon();
  return number;
}

void Channel::on_return(DeliveryCallback callback) {
  impl_->set_return_callback(std::move(callback));
}

void Channel::confirm_select() {
  impl_->call<confirm::SelectOk>(confirm::Select{});
  impl_->state().unconfirmed.enable();
}

bool Channel::wait_for_confirms(std::size_t unconfirmed_max, std::chrono::milliseconds timeout) {
  ProtocolChannel& state = impl_->state();
  if (!state.unconfirmed.enabled()) throw Error("wait_for_confirms() without confirm_select()");
  const auto until =
      timeout.count() == 0 ? std::optional<Clock::time_point>{} : Clock::now() + timeout;
  const bool done = impl_->connection().wait(
      [&state, unconfirmed_max] {
        return state.unconfirmed.count() <= unconfirmed_max || state.closed.has_value();
      },
      until);
  impl_->state();
  impl_->dispatch_returns();
  if (!done) {
    throw TimedOut(std::to_string(state.unconfirmed.count()) + " messages are still unconfirmed");
  }
  return !state.unconfirmed.take_refused();
}

std::size_t Channel::unconfirmed_count() const {
  return impl_->state().unconfirmed.count();
}

void Channel::basic_qos(std::uint16_t prefetch_count, bool global) {
  impl_->call<basic::QosOk>(basic::Qos{.prefetch_count = prefetch_count, .global = global});
}

std::string Channel::basic_consume(std::string_view queue, DeliveryCallback callback,
                                   const ConsumeOptions& options) {
  const auto ok = impl_->call<basic::ConsumeOk>(basic::Consume{.queue = queue,
                                                               .consumer_tag = options.consumer_tag,
                                                               .no_ack = options.no_ack,
                                                               .exclusive = options.exclusive,
                                                               .arguments = options.arguments});
  std::string tag(ok.consumer_tag);
  impl_->add_consumer(tag, {std::move(callback), options.no_ack});
  return tag;
}

void Channel::basic_cancel(std::string_view consumer_tag) {
  impl_->cancel(consumer_tag);
}

std::optional<Message> Channel::basic_get(std::string_view queue, bool no_ack) {
  impl_->send(basic::Get{.queue = queue, .no_ack = no_ack});
  return std::move(impl_->answer(basic::GetOk::id, basic::GetEmpty::id).message);
}

void Channel::basic_ack(std::uint64_t delivery_tag, bool multiple) {
  impl_->send(basic::Ack{.delivery_tag = delivery_tag, .multiple = multiple});
}

void Channel::basic_nack(std::uint64_t delivery_tag, bool multiple, bool requeue) {
  impl_->send(basic::Nack{.delivery_tag = delivery_tag, .multiple = multiple, .requeue = requeue});
}

void Channel::basic_reject(std::uint64_t delivery_tag, bool requeue) {
  impl_->send(basic::Reject{.delivery_tag = delivery_tag, .requeue = requeue});
}

void Channel::basic_recover() {
  impl_->call<basic::RecoverOk>(basic::Recover{.requeue = true});
}

void Channel::start_consuming() {
  impl_->consume(std::nullopt);
}

bool Channel::consume_for(std::chrono::milliseconds duration) {
  impl_->consume(Clock::now() + duration);
  return impl_->has_consumers();
}

void Channel::stop_consuming() noexcept {
  impl_->stop();
}

void Channel::close() {
  impl_->close();
}

bool Channel::is_open() const {
  return impl_->is_open();
}

}  // namespace haypile
