// The implementation of a channel: what has come for it and was not handled yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <haypile/channel.hpp>

#include "client/core/unconfirmed.hpp"
#include "connection_impl.hpp"

namespace haypile {

// Implements Channel, for any thread. A method that takes a Lock needs the lock of the connection.
// Methods that call the program back keep the channel alive, because the program may destroy it.
class ChannelImpl : public std::enable_shared_from_this<ChannelImpl> {
 public:
  using Lock = ConnectionImpl::Lock;

  // Opens the channel. Throws what Connection::channel() throws.
  static std::shared_ptr<ChannelImpl> open(std::shared_ptr<ConnectionImpl> connection);
  ChannelImpl(std::shared_ptr<ConnectionImpl> connection, std::uint16_t number);
  ChannelImpl(const ChannelImpl&) = delete;
  ChannelImpl& operator=(const ChannelImpl&) = delete;

  // Closes the channel without waiting, since its owner is gone.
  void release();

  // Sends a method that has no answer.
  template <class M>
  void send(const M& method);
  // Sends a method, waits for its answer `Ok`, and returns what `use` returns for it. `use` is
  // called with the lock held; the views in the answer are valid during that call.
  template <class Ok, class M, class Use>
  auto call(const M& method, Use&& use);
  template <class Ok, class M>
  void call(const M& method) {
    call<Ok>(method, [](const Ok&) { return true; });
  }
  std::optional<Message> get(const amqp::basic::Get& method);

  std::uint64_t publish(const amqp::basic::Publish& method, std::string_view raw_properties,
                        std::string_view body);
  bool wait_for_confirms(std::size_t unconfirmed_max, std::optional<TimePoint> until);
  std::size_t unconfirmed_count();
  void set_return_callback(DeliveryCallback callback);
  void set_confirm_callback(ConfirmCallback callback);
  void set_cancel_callback(CancelCallback callback);

  void qos(std::uint16_t prefetch_count, bool global);
  std::string consume(const amqp::basic::Consume& method, DeliveryCallback callback);
  void cancel(std::string_view consumer_tag);
  bool has_consumers() const { return !consumers_.empty(); }
  // Calls back for deliveries of this channel, see Channel::start_consuming(). Returns whether it
  // has consumers.
  bool run(std::optional<TimePoint> until);
  void stop() noexcept;
  // Throws Error if the message is not from this channel.
  void check_origin(const Message& message) const;

  void close();
  bool is_open();

  // The connection calls what follows, with the lock held.
  void handle(event::Reply& event);
  void handle(event::Got& event);
  void handle(event::Delivery& event);
  void handle(event::Returned& event);
  void handle(event::Confirmed& event);
  void handle(event::ConsumerCancelled& event);
  void handle(event::ChannelClosed& event);
  // Whether handle_one() has something to do.
  bool is_busy() const { return !deliveries_.empty() || !news_.empty() || closes_consumers(); }
  // Returns whether the channel is busy and was not in the connection's line.
  bool joins_line() { return is_busy() && !std::exchange(is_in_line_, true); }
  void leave_line() { is_in_line_ = false; }
  // Calls back for all news and for one delivery.
  void handle_one(Lock& lock);
  // ConnectionImpl::serve() asks these. check_open() throws if the channel or its connection has
  // ended.
  void check_open();
  bool has_work() const { return is_busy() || closed_; }
  std::shared_ptr<ChannelImpl> next_busy_channel() {
    return is_busy() ? shared_from_this() : nullptr;
  }

 private:
  struct Answer {
    std::string arguments;
    std::optional<Message> message;
  };
  struct Consumer {
    DeliveryCallback callback;
    bool no_ack;
  };
  struct Settled {
    std::uint64_t number;
    bool confirmed;
  };
  struct Cancelled {
    std::string consumer_tag;
  };
  // Returned messages, confirms and cancellations, in the order in which they came.
  using News = std::variant<Message, Settled, Cancelled>;

  Protocol& protocol() { return connection_->protocol(); }
  bool closes_consumers() const { return closed_ && has_consumers(); }
  // Sends a method that is answered with `Ok`.
  template <class Ok, class M>
  RequestId request(const M& method);
  // Returns when the answer is there; throws if it cannot come any more.
  Answer wait_for_answer(Lock& lock, RequestId request);
  // Forgets the consumer, and gives back what it has not handled.
  void drop_consumer(std::string_view consumer_tag);
  void tell(Lock& lock);
  void tell_one(Lock& lock, News& news);

  const std::shared_ptr<ConnectionImpl> connection_;
  const std::uint16_t number_;
  const std::uint64_t id_;  // no other channel of the process has it
  std::atomic<bool> stopped_{false};

  // All below is under the lock of the connection.
  std::optional<CloseReason> closed_;
  std::map<RequestId, Answer> answers_;
  std::map<RequestId, std::shared_ptr<Consumer>> starting_consumers_;
  std::map<std::string, std::shared_ptr<Consumer>, std::less<>> consumers_;
  std::deque<Message> deliveries_;
  std::deque<News> news_;
  bool is_in_line_ = false;
  bool has_qos_ = false;
  bool confirms_ = false;
  Unconfirmed unconfirmed_;
  bool refused_ = false;  // since the last wait_for_confirms()
  // Shared, because a callback may replace itself while it runs.
  std::shared_ptr<const DeliveryCallback> on_return_;
  std::shared_ptr<const ConfirmCallback> on_confirm_;
  std::shared_ptr<const CancelCallback> on_cancel_;
};

template <class M>
void ChannelImpl::send(const M& method) {
  Lock lock = connection_->lock();
  check_open();
  connection_->make_room(lock);
  check_open();
  if (!protocol().send(number_, method)) {
    throw Error(std::string(M::name) + ": a name is longer than 255 bytes");
  }
  connection_->send_soon();
}

template <class Ok, class M>
RequestId ChannelImpl::request(const M& method) {
  const RequestId id = protocol().template request<Ok>(number_, method, Clock::now());
  if (id != 0) return id;
  throw Error(std::string(M::name) +
              ": a name is longer than 255 bytes, or the arguments are too long for a frame");
}

template <class Ok, class M, class Use>
auto ChannelImpl::call(const M& method, Use&& use) {
  const auto self = shared_from_this();
  Lock lock = connection_->lock();
  connection_->look();
  check_open();
  const Answer answer = wait_for_answer(lock, request<Ok>(method));
  Ok ok;
  // The protocol has checked that it is well-formed.
  static_cast<void>(amqp::decode_arguments(answer.arguments, ok));
  auto result = use(ok);
  tell(lock);
  return result;
}

// Here, because it needs both classes.
template <class Served>
bool ConnectionImpl::serve(Served& served, std::atomic<bool>& stopped,
                           std::optional<TimePoint> until) {
  Lock lock = this->lock();
  while (!stopped.exchange(false)) {
    tell_blocked(lock);
    if (const auto channel = served.next_busy_channel()) {
      channel->handle_one(lock);
      if (until && Clock::now() >= *until) break;
      continue;
    }
    served.check_open();
    if (!served.has_consumers()) break;
    const bool woken = wait(
        lock, [&] { return stopped || served.has_work() || !blocked_news_.empty(); }, until);
    if (!woken && protocol_.state() == Protocol::State::open) break;
  }
  return served.has_consumers();
}

}  // namespace haypile
