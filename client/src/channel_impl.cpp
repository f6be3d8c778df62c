// What a channel does for the program; the events of the channel are in channel_events.cpp.
#include "channel_impl.hpp"

#include <tuple>

namespace haypile {

namespace {

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

// Null for no callback.
template <class Callback>
std::shared_ptr<const Callback> shared(Callback callback) {
  return callback ? std::make_shared<const Callback>(std::move(callback)) : nullptr;
}

}  // namespace

std::shared_ptr<ChannelImpl> ChannelImpl::open(std::shared_ptr<ConnectionImpl> connection) {
  ConnectionImpl& owner = *connection;
  Lock lock = owner.lock();
  owner.look();
  owner.check_open();
  auto [number, request] = owner.protocol().open_channel(Clock::now());
  if (number == 0) {
    // The broker may not have answered the end of another channel yet.
    owner.wait(
        lock, [&owner] { return !owner.protocol().channel_is_closing(); }, std::nullopt);
    owner.check_in_time();
    std::tie(number, request) = owner.protocol().open_channel(Clock::now());
  }
  if (number == 0) throw Error("no channel number is free: all are open");
  auto channel = std::make_shared<ChannelImpl>(std::move(connection), number);
  owner.add_channel(number, *channel);
  try {
    channel->wait_for_answer(lock, request);
  } catch (...) {
    owner.remove_channel(number);
    throw;
  }
  return channel;
}

ChannelImpl::ChannelImpl(std::shared_ptr<ConnectionImpl> connection, std::uint16_t number)
    : connection_(std::move(connection)), number_(number), id_(next_id()) {}

void ChannelImpl::release() {
  const Lock lock = connection_->lock();
  if (closed_) return;
  connection_->remove_channel(number_);
  if (protocol().state() != Protocol::State::open) return;
  protocol().close_channel(number_, Clock::now());
  connection_->send_soon();
}

void ChannelImpl::check_open() {
  connection_->check_open();
  if (!closed_) return;
  throw ChannelClosed(closed_->code, closed_->text, closed_->method);
}

bool ChannelImpl::is_open() {
  const Lock lock = connection_->lock();
  return connection_->is_open() && !closed_;
}

ChannelImpl::Answer ChannelImpl::wait_for_answer(Lock& lock, RequestId request) {
  // The protocol ends the connection if the answer is overdue.
  connection_->wait(
      lock, [&] { return answers_.contains(request) || closed_.has_value(); }, std::nullopt);
  auto answer = answers_.extract(request);
  if (!answer) {
    connection_->check_in_time();
    check_open();
  }
  return std::move(answer.mapped());
}

std::optional<Message> ChannelImpl::get(const amqp::basic::Get& method) {
  const auto self = shared_from_this();
  Lock lock = connection_->lock();
  connection_->look();
  check_open();
  const RequestId request = protocol().get(number_, method, Clock::now());
  if (request == 0) throw Error("basic.get: a name is longer than 255 bytes");
  std::optional<Message> message = std::move(wait_for_answer(lock, request).message);
  tell(lock);
  return message;
}

std::uint64_t ChannelImpl::publish(const amqp::basic::Publish& method,
                                   std::string_view raw_properties, std::string_view body) {
  Lock lock = connection_->lock();
  check_open();
  connection_->make_room(lock);
  check_open();
  const auto number = protocol().publish(number_, method, raw_properties, body);
  if (!number) {
    throw Error("a name is longer than 255 bytes, or the properties do not fit into a frame of " +
                std::to_string(protocol().frame_max_bytes()) + " bytes");
  }
  if (*number != 0) unconfirmed_.add();
  connection_->send_soon();
  return *number;
}

bool ChannelImpl::wait_for_confirms(std::size_t unconfirmed_max, std::optional<TimePoint> until) {
  const auto self = shared_from_this();
  Lock lock = connection_->lock();
  check_open();
  if (!confirms_) throw Error("wait_for_confirms() without confirm_select()");
  const bool done = connection_->wait(
      lock, [&] { return unconfirmed_.count() <= unconfirmed_max || closed_.has_value(); }, until);
  if (unconfirmed_.count() > unconfirmed_max) check_open();
  const std::size_t count = unconfirmed_.count();
  tell(lock);
  if (!done) throw StillUnconfirmed(std::to_string(count) + " messages are still unconfirmed");
  return !std::exchange(refused_, false);
}

std::size_t ChannelImpl::unconfirmed_count() {
  const Lock lock = connection_->lock();
  return unconfirmed_.count();
}

void ChannelImpl::qos(std::uint16_t prefetch_count, bool global) {
  call<amqp::basic::QosOk>(amqp::basic::Qos{.prefetch_count = prefetch_count, .global = global},
                           [this](const amqp::basic::QosOk&) { return has_qos_ = true; });
}

std::string ChannelImpl::consume(const amqp::basic::Consume& method, DeliveryCallback callback) {
  const auto self = shared_from_this();
  const std::uint16_t prefetch_count = connection_->options().default_prefetch_count;
  Lock lock = connection_->lock();
  if (!has_qos_ && !method.no_ack && prefetch_count != 0) {
    lock.unlock();
    qos(prefetch_count, false);
    lock.lock();
  }
  check_open();
  const RequestId id = request<amqp::basic::ConsumeOk>(method);
  // The consumer has to be there before its first delivery, which comes right behind the answer.
  starting_consumers_[id] =
      std::make_shared<Consumer>(Consumer{std::move(callback), method.no_ack});
  const Answer answer = wait_for_answer(lock, id);
  amqp::basic::ConsumeOk ok;
  static_cast<void>(amqp::decode_arguments(answer.arguments, ok));
  std::string consumer_tag(ok.consumer_tag);
  tell(lock);
  return consumer_tag;
}

void ChannelImpl::cancel(std::string_view consumer_tag) {
  call<amqp::basic::CancelOk>(amqp::basic::Cancel{.consumer_tag = consumer_tag},
                              [&](const amqp::basic::CancelOk&) {
                                drop_consumer(consumer_tag);
                                return true;
                              });
}

void ChannelImpl::drop_consumer(std::string_view consumer_tag) {
  const auto found = consumers_.find(consumer_tag);
  if (found == consumers_.end()) return;
  const bool no_ack = found->second->no_ack;
  consumers_.erase(found);
  const bool gives_back = !no_ack && !closed_ && protocol().state() == Protocol::State::open;
  std::erase_if(deliveries_, [&](const Message& message) {
    if (message.consumer_tag() != consumer_tag) return false;
    if (gives_back) {
      protocol().send(number_,
                      amqp::basic::Nack{.delivery_tag = message.delivery_tag, .requeue = true});
    }
    return true;
  });
  if (gives_back) connection_->send_soon();
}

bool ChannelImpl::run(std::optional<TimePoint> until) {
  const auto self = shared_from_this();
  return connection_->serve(*this, stopped_, until);
}

void ChannelImpl::stop() noexcept {
  stopped_ = true;
  connection_->wake();
}

// Keeps the consumer alive while its callback runs, because the callback may cancel it.
void ChannelImpl::handle_one(Lock& lock) {
  tell(lock);
  connection_->check_open();
  if (closed_) {
    deliveries_.clear();
    consumers_.clear();
    check_open();
  }
  if (deliveries_.empty()) return;
  Message message = std::move(deliveries_.front());
  deliveries_.pop_front();
  connection_->join_line(*this);
  const auto found = consumers_.find(message.consumer_tag());
  if (found == consumers_.end()) return;
  const std::shared_ptr<Consumer> consumer = found->second;
  lock.unlock();
  consumer->callback(std::move(message));
  lock.lock();
}

void ChannelImpl::check_origin(const Message& message) const {
  if (message.channel_id_ == id_) return;
  throw Error(
      "the message came from another channel, or from the channel of an earlier connection: its "
      "delivery tag means nothing here");
}

void ChannelImpl::close() {
  Lock lock = connection_->lock();
  if (closed_ || protocol().state() != Protocol::State::open) return;
  protocol().close_channel(number_, Clock::now());
  connection_->wait(
      lock, [this] { return closed_.has_value(); }, std::nullopt);
  if (!closed_) connection_->check_in_time();
}

void ChannelImpl::set_return_callback(DeliveryCallback callback) {
  const Lock lock = connection_->lock();
  on_return_ = shared(std::move(callback));
}

void ChannelImpl::set_confirm_callback(ConfirmCallback callback) {
  const Lock lock = connection_->lock();
  on_confirm_ = shared(std::move(callback));
}

void ChannelImpl::set_cancel_callback(CancelCallback callback) {
  const Lock lock = connection_->lock();
  on_cancel_ = shared(std::move(callback));
}

}  // namespace haypile
