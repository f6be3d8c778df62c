// The implementation of a channel: calls and their answers, consumers and their callbacks.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <haypile/channel.hpp>

#include "connection_impl.hpp"

namespace haypile {

// Implements Channel. Used on the connection's thread, except stop().
class ChannelImpl {
 public:
  // The protocol must have the channel already, with channel.open in its output.
  ChannelImpl(std::shared_ptr<ConnectionImpl> connection, std::uint16_t number);
  // Asks the broker to close the channel, and does not wait for the answer.
  ~ChannelImpl();
  ChannelImpl(const ChannelImpl&) = delete;
  ChannelImpl& operator=(const ChannelImpl&) = delete;

  // Returns the channel's state. Throws if the channel or its connection is closed.
  ProtocolChannel& state();
  template <class M>
  void send(const M& method);
  // Calls a method that is answered with an `Ok`; the views in the result are valid until the next
  // call.
  template <class Ok, class M>
  Ok call(const M& method);
  // Waits for the answer `id` or, if given, `other`.
  Reply answer(amqp::MethodId id, amqp::MethodId other = {});

  bool has_consumers() const { return !callbacks_.empty(); }
  // Handles deliveries until stop(), until no consumer is left, or until `until`.
  void consume(std::optional<Clock::time_point> until);
  void cancel(std::string_view consumer_tag);
  void dispatch_returns();
  void stop() noexcept;
  void close();
  bool is_open() const;

  struct Consumer {
    DeliveryCallback callback;
    bool no_ack = false;
  };
  void add_consumer(const std::string& tag, Consumer consumer) {
    callbacks_[tag] = std::make_shared<Consumer>(std::move(consumer));
  }
  void set_return_callback(DeliveryCallback callback) { on_return_ = std::move(callback); }
  ConnectionImpl& connection() { return *connection_; }
  std::uint16_t number() const { return number_; }

 private:
  void forget_cancelled(ProtocolChannel& channel);

  std::shared_ptr<ConnectionImpl> connection_;
  const std::uint16_t number_;
  std::map<std::string, std::shared_ptr<Consumer>, std::less<>> callbacks_;
  DeliveryCallback on_return_;
  std::optional<Reply> reply_;  // owns the bytes of the last answer's views
  std::atomic<bool> stopped_{false};
};

template <class M>
void ChannelImpl::send(const M& method) {
  state();
  if (!connection_->protocol().send(number_, method)) {
    throw Error("a name in " + std::string(M::name) + " is longer than 255 bytes");
  }
  connection_->send_soon();
}

template <class Ok, class M>
Ok ChannelImpl::call(const M& method) {
  send(method);
  reply_ = answer(Ok::id);
  Ok ok;
  if (amqp::decode_arguments(reply_->arguments, ok) != amqp::DecodeError::none) {
    connection_->protocol().lost("broken protocol: malformed " + std::string(Ok::name));
    connection_->check_open();
  }
  return ok;
}

}  // namespace haypile
