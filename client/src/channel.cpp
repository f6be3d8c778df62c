#include <haypile/channel.hpp>

#include <utility>

#include "channel_impl.hpp"

namespace haypile {

using namespace amqp;

Channel::Channel(std::shared_ptr<ChannelImpl> impl) : impl_(std::move(impl)) {}
Channel::~Channel() {
  if (impl_) impl_->release();
}
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&& other) noexcept {
  const Channel old(std::move(*this));
  impl_ = std::move(other.impl_);
  return *this;
}

ChannelImpl& Channel::impl() const {
  if (!impl_) throw Error("this Channel was moved from");
  return *impl_;
}

QueueInfo Channel::queue_declare(std::string_view name, const QueueOptions& options) {
  return impl().call<queue::DeclareOk>(
      queue::Declare{.queue = name,
                     .passive = options.passive,
                     .durable = options.durable,
                     .exclusive = options.exclusive,
                     .auto_delete = options.auto_delete,
                     .arguments = options.arguments},
      [](const queue::DeclareOk& ok) {
        return QueueInfo{std::string(ok.queue), ok.message_count, ok.consumer_count};
      });
}

void Channel::queue_bind(std::string_view name, std::string_view exchange,
                         std::string_view routing_key, const Table& arguments) {
  impl().call<queue::BindOk>(queue::Bind{
      .queue = name, .exchange = exchange, .routing_key = routing_key, .arguments = arguments});
}

void Channel::queue_unbind(std::string_view name, std::string_view exchange,
                           std::string_view routing_key, const Table& arguments) {
  impl().call<queue::UnbindOk>(queue::Unbind{
      .queue = name, .exchange = exchange, .routing_key = routing_key, .arguments = arguments});
}

std::uint32_t Channel::queue_purge(std::string_view name) {
  return impl().call<queue::PurgeOk>(queue::Purge{.queue = name},
                                     [](const queue::PurgeOk& ok) { return ok.message_count; });
}

std::uint32_t Channel::queue_delete(std::string_view name, bool if_unused, bool if_empty) {
  return impl().call<queue::DeleteOk>(
      queue::Delete{.queue = name, .if_unused = if_unused, .if_empty = if_empty},
      [](const queue::DeleteOk& ok) { return ok.message_count; });
}

void Channel::exchange_declare(std::string_view name, std::string_view type,
                               const ExchangeOptions& options) {
  impl().call<exchange::DeclareOk>(exchange::Declare{.exchange = name,
                                                     .type = type,
                                                     .passive = options.passive,
                                                     .durable = options.durable,
                                                     .auto_delete = options.auto_delete,
                                                     .internal = options.internal,
                                                     .arguments = options.arguments});
}

void Channel::exchange_delete(std::string_view name, bool if_unused) {
  impl().call<exchange::DeleteOk>(exchange::Delete{.exchange = name, .if_unused = if_unused});
}

void Channel::exchange_bind(std::string_view destination, std::string_view source,
                            std::string_view routing_key, const Table& arguments) {
  impl().call<exchange::BindOk>(exchange::Bind{.destination = destination,
                                               .source = source,
                                               .routing_key = routing_key,
                                               .arguments = arguments});
}

void Channel::exchange_unbind(std::string_view destination, std::string_view source,
                              std::string_view routing_key, const Table& arguments) {
  impl().call<exchange::UnbindOk>(exchange::Unbind{.destination = destination,
                                                   .source = source,
                                                   .routing_key = routing_key,
                                                   .arguments = arguments});
}

std::uint64_t Channel::basic_publish(std::string_view exchange, std::string_view routing_key,
                                     std::string_view body, const Properties& properties,
                                     bool mandatory) {
  // The memory is kept: the properties of most messages have the same size.
  thread_local std::string raw;
  raw.clear();
  if (!append_properties(raw, properties)) throw Error("a property is longer than 255 bytes");
  return impl().publish({.exchange = exchange, .routing_key = routing_key, .mandatory = mandatory},
                        raw, body);
}

void Channel::on_return(DeliveryCallback callback) {
  impl().set_return_callback(std::move(callback));
}

void Channel::on_confirm(ConfirmCallback callback) {
  impl().set_confirm_callback(std::move(callback));
}

void Channel::on_cancel(CancelCallback callback) {
  impl().set_cancel_callback(std::move(callback));
}

void Channel::confirm_select() {
  impl().call<confirm::SelectOk>(confirm::Select{});
}

bool Channel::wait_for_confirms(std::size_t unconfirmed_max, std::chrono::milliseconds timeout) {
  return impl().wait_for_confirms(
      unconfirmed_max, timeout == forever ? std::optional<TimePoint>{} : Clock::now() + timeout);
}

std::size_t Channel::unconfirmed_count() const {
  return impl().unconfirmed_count();
}

void Channel::tx_select() {
  impl().call<tx::SelectOk>(tx::Select{});
}

void Channel::tx_commit() {
  impl().call<tx::CommitOk>(tx::Commit{});
}

void Channel::tx_rollback() {
  impl().call<tx::RollbackOk>(tx::Rollback{});
}

void Channel::basic_qos(std::uint16_t prefetch_count, bool global) {
  impl().qos(prefetch_count, global);
}

std::string Channel::basic_consume(std::string_view queue, DeliveryCallback callback,
                                   const ConsumeOptions& options) {
  return impl().consume({.queue = queue,
                         .consumer_tag = options.consumer_tag,
                         .no_ack = options.no_ack,
                         .exclusive = options.exclusive,
                         .arguments = options.arguments},
                        std::move(callback));
}

void Channel::basic_cancel(std::string_view consumer_tag) {
  impl().cancel(consumer_tag);
}

std::optional<Message> Channel::basic_get(std::string_view queue, bool no_ack) {
  return impl().get({.queue = queue, .no_ack = no_ack});
}

void Channel::basic_ack(std::uint64_t delivery_tag, bool multiple) {
  impl().send(basic::Ack{.delivery_tag = delivery_tag, .multiple = multiple});
}

void Channel::basic_nack(std::uint64_t delivery_tag, bool multiple, bool requeue) {
  impl().send(basic::Nack{.delivery_tag = delivery_tag, .multiple = multiple, .requeue = requeue});
}

void Channel::basic_reject(std::uint64_t delivery_tag, bool requeue) {
  impl().send(basic::Reject{.delivery_tag = delivery_tag, .requeue = requeue});
}

void Channel::basic_ack(const Message& message, bool multiple) {
  impl().check_origin(message);
  basic_ack(message.delivery_tag, multiple);
}

void Channel::basic_nack(const Message& message, bool multiple, bool requeue) {
  impl().check_origin(message);
  basic_nack(message.delivery_tag, multiple, requeue);
}

void Channel::basic_reject(const Message& message, bool requeue) {
  impl().check_origin(message);
  basic_reject(message.delivery_tag, requeue);
}

void Channel::basic_recover(bool requeue) {
  impl().call<basic::RecoverOk>(basic::Recover{.requeue = requeue});
}

void Channel::start_consuming() {
  impl().run(std::nullopt);
}

bool Channel::consume_for(std::chrono::milliseconds duration) {
  return impl().run(Clock::now() + duration);
}

void Channel::stop_consuming() noexcept {
  if (impl_) impl_->stop();
}

void Channel::close() {
  impl().close();
}

bool Channel::is_open() const {
  return impl_ && impl_->is_open();
}

}  // namespace haypile
