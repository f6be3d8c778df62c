// A channel: the methods of AMQP 0-9-1 for work queues.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/amqp/table.hpp>
#include <haypile/config.hpp>
#include <haypile/message.hpp>

namespace haypile {

// The fields of queue.declare.
struct QueueOptions {
  bool passive = false;  // only check whether the queue is there
  bool durable = false;
  bool exclusive = false;  // only for this connection, and deleted with it
  bool auto_delete = false;
  amqp::Table arguments{};
};

// The answer to queue.declare.
struct QueueInfo {
  std::string name;
  std::uint32_t message_count = 0;  // ready messages
  std::uint32_t consumer_count = 0;
};

// The fields of exchange.declare.
struct ExchangeOptions {
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  amqp::Table arguments{};
};

// The fields of basic.consume.
struct ConsumeOptions {
  std::string consumer_tag{};  // empty: the broker makes one
  bool no_ack = false;         // the message is removed when it is delivered
  bool exclusive = false;
  amqp::Table arguments{};
};

// The callback may take the message as const Message&, or as Message to keep it without a copy.
using DeliveryCallback = std::function<void(Message&&)>;
// `number` is what basic_publish() has returned; false: the broker has refused the message.
using ConfirmCallback = std::function<void(std::uint64_t number, bool confirmed)>;
using CancelCallback = std::function<void(std::string_view consumer_tag)>;

// Waits as long as it takes.
inline constexpr std::chrono::milliseconds forever = std::chrono::milliseconds::max();

// A channel of a connection. Methods that have an answer wait for it, for at most
// ConnectionOptions::rpc_timeout. All methods throw ChannelClosed or ConnectionClosed with the
// broker's reason, TimedOut, or Error if a name is longer than 255 bytes. A channel can be moved,
// not copied. It may be used on any thread, as its connection. Callbacks are called during methods
// that wait; they may use all methods.
class HAYPILE_EXPORT Channel {
 public:
  // Closes the channel without waiting for the broker's answer; errors are ignored.
  ~Channel();
  // After it was moved from, an object can be assigned to and destroyed; everything else throws
  // Error, and is_open() is false.
  Channel(Channel&&) noexcept;
  Channel& operator=(Channel&&) noexcept;

  // An empty name lets the broker make one.
  QueueInfo queue_declare(std::string_view queue = {}, const QueueOptions& options = {});
  void queue_bind(std::string_view queue, std::string_view exchange,
                  std::string_view routing_key = {}, const amqp::Table& arguments = {});
  void queue_unbind(std::string_view queue, std::string_view exchange,
                    std::string_view routing_key = {}, const amqp::Table& arguments = {});
  // Both methods return how many messages were dropped.
  std::uint32_t queue_purge(std::string_view queue);
  std::uint32_t queue_delete(std::string_view queue, bool if_unused = false, bool if_empty = false);

  // `type`: direct, fanout, topic or headers.
  void exchange_declare(std::string_view exchange, std::string_view type = "direct",
                        const ExchangeOptions& options = {});
  void exchange_delete(std::string_view exchange, bool if_unused = false);
  void exchange_bind(std::string_view destination, std::string_view source,
                     std::string_view routing_key = {}, const amqp::Table& arguments = {});
  void exchange_unbind(std::string_view destination, std::string_view source,
                       std::string_view routing_key = {}, const amqp::Table& arguments = {});

  // Returns when the message is on its way; it waits only if the broker takes no more output, for
  // at most ConnectionOptions::publish_timeout. After confirm_select() it returns the number of the
  // message on this channel, beginning with 1; otherwise 0. TimedOut: nothing of it was sent.
  std::uint64_t basic_publish(std::string_view exchange, std::string_view routing_key,
                              std::string_view body, const Properties& properties = {},
                              bool mandatory = false);
  // This form takes properties that own their texts, also in a braced list:
  //   channel.basic_publish("", "q", body, {.expiration = std::to_string(ttl_ms)});
  template <OwningProperties Owned = MessageProperties>
  std::uint64_t basic_publish(std::string_view exchange, std::string_view routing_key,
                              std::string_view body, const Owned& properties,
                              bool mandatory = false) {
    const Properties views = properties;
    return basic_publish(exchange, routing_key, body, views, mandatory);
  }
  // Sets the function that gets mandatory messages which no queue took, before they are confirmed.
  void on_return(DeliveryCallback callback);

  // Lets the broker confirm each message from now on when it has stored it safely.
  void confirm_select();
  // Sets the function that is told what became of each message after confirm_select(), in the order
  // in which the broker says so.
  void on_confirm(ConfirmCallback callback);
  // Waits until at most `unconfirmed_max` messages are unconfirmed. Returns false if the broker has
  // refused a message (basic.nack) since the last call. Throws StillUnconfirmed when `timeout` is
  // over; a timeout of 0 only looks.
  bool wait_for_confirms(std::size_t unconfirmed_max = 0,
                         std::chrono::milliseconds timeout = forever);
  // The count as of the last call that sent or waited.
  std::size_t unconfirmed_count() const;

  // Transactions: what is published and acknowledged takes effect with tx_commit(), or never.
  void tx_select();
  void tx_commit();
  void tx_rollback();

  // Limits the unacknowledged messages of each consumer that starts later or, if `global`, of the
  // whole channel. 0: no limit.
  void basic_qos(std::uint16_t prefetch_count, bool global = false);
  // `callback` is called during start_consuming() and Connection::run(), on their thread. Returns
  // the consumer tag. On a channel without basic_qos() it first asks for
  // ConnectionOptions::default_prefetch_count.
  std::string basic_consume(std::string_view queue, DeliveryCallback callback,
                            const ConsumeOptions& options = {});
  // Deliveries that were not handled yet return to the queue.
  void basic_cancel(std::string_view consumer_tag);
  // Sets the function that is told when the broker has ended a consumer, for example because its
  // queue was deleted. Without one, the consumer just gets no more messages.
  void on_cancel(CancelCallback callback);
  // Returns nothing if the queue is empty.
  std::optional<Message> basic_get(std::string_view queue, bool no_ack = false);

  // These methods wait only as basic_publish() does. `multiple`: all messages up to this tag. The
  // tag of a message from another channel means another message, or none, and then the broker
  // closes the channel.
  void basic_ack(std::uint64_t delivery_tag, bool multiple = false);
  void basic_nack(std::uint64_t delivery_tag, bool multiple = false, bool requeue = true);
  void basic_reject(std::uint64_t delivery_tag, bool requeue = true);
  // These methods throw Error, and send nothing, if the message did not come from this channel, for
  // example because it came before a reconnect.
  void basic_ack(const Message& message, bool multiple = false);
  void basic_nack(const Message& message, bool multiple = false, bool requeue = true);
  void basic_reject(const Message& message, bool requeue = true);
  // Returns all unacknowledged messages to their queues. RabbitMQ refuses requeue = false.
  void basic_recover(bool requeue = true);

  // Calls the callbacks with deliveries until stop_consuming(), or until no consumer is left (all
  // were cancelled, by us or by the broker). Exceptions of a callback come out of this method.
  void start_consuming();
  // Does the same for at most `duration`, or until the callback that runs then returns. Returns
  // false if there is no consumer.
  bool consume_for(std::chrono::milliseconds duration);
  // May be called from a callback, any thread, or a signal handler. start_consuming() then returns
  // after the current callback; if it is not running, its next call returns at once. Deliveries
  // that were not handled stay unacknowledged.
  void stop_consuming() noexcept;

  void close();
  bool is_open() const;

 private:
  friend class Connection;
  explicit Channel(std::shared_ptr<class ChannelImpl> impl);
  class ChannelImpl& impl() const;
  std::shared_ptr<class ChannelImpl> impl_;
};

}  // namespace haypile
