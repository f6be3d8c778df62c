// A channel: the verbs of AMQP's work queues.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/amqp/table.hpp>
#include <haypile/message.hpp>

namespace haypile {

struct QueueOptions {
  bool passive = false;  // only look whether it is there
  bool durable = false;
  bool exclusive = false;  // for this connection, and gone with it
  bool auto_delete = false;
  amqp::Table arguments{};
};

struct QueueInfo {
  std::string name;
  std::uint32_t message_count = 0;  // ready
  std::uint32_t consumer_count = 0;
};

struct ExchangeOptions {
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  amqp::Table arguments{};
};

struct ConsumeOptions {
  std::string consumer_tag{};  // empty: the broker makes one
  bool no_ack = false;         // delivery removes the message
  bool exclusive = false;
  amqp::Table arguments{};
};

using DeliveryCallback = std::function<void(const Message&)>;

// Methods wait for the broker's answer where there is one. All of them throw ChannelClosed or
// ConnectionClosed with the broker's reason, and TimedOut; names of more than 255 bytes are an
// Error. Can be moved, not copied; the connection's thread only.
class Channel {
 public:
  // As close(), but what goes wrong is passed over.
  ~Channel();
  Channel(Channel&&) noexcept;
  Channel& operator=(Channel&&) noexcept;

  // The empty name: the broker makes one.
  QueueInfo queue_declare(std::string_view queue = {}, const QueueOptions& options = {});
  void queue_bind(std::string_view queue, std::string_view exchange,
                  std::string_view routing_key = {}, const amqp::Table& arguments = {});
  void queue_unbind(std::string_view queue, std::string_view exchange,
                    std::string_view routing_key = {}, const amqp::Table& arguments = {});
  // Both return how many messages were dropped.
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

  // Does not wait. With confirm_select() it returns the number of the message on this channel, from
  // 1 on; else 0.
  std::uint64_t basic_publish(std::string_view exchange, std::string_view routing_key,
                              std::string_view body, const Properties& properties = {},
                              bool mandatory = false);
  // What becomes of mandatory messages that no queue took; called within calls that wait.
  void on_return(DeliveryCallback callback);

  // From now on the broker confirms each message once it has it safely.
  void confirm_select();
  // Waits until no more than `unconfirmed_max` messages are unconfirmed. False if the broker has
  // refused one (basic.nack) since the last call. Throws TimedOut; 0 waits for ever.
  bool wait_for_confirms(std::size_t unconfirmed_max = 0,
                         std::chrono::milliseconds timeout = std::chrono::milliseconds(0));
  std::size_t unconfirmed_count() const;

  // How many messages may be unacknowledged, 0 for any number: of each consumer started later, or,
  // if `global`, of the channel.
  void basic_qos(std::uint16_t prefetch_count, bool global = false);
  // `callback` is called within start_consuming(), on its thread. Returns the consumer tag.
  std::string basic_consume(std::string_view queue, DeliveryCallback callback,
                            const ConsumeOptions& options = {});
  void basic_cancel(std::string_view consumer_tag);
  // Nothing if the queue is empty.
  std::optional<Message> basic_get(std::string_view queue, bool no_ack = false);

  // None of them waits. `multiple`: all up to that tag.
  void basic_ack(std::uint64_t delivery_tag, bool multiple = false);
  void basic_nack(std::uint64_t delivery_tag, bool multiple = false, bool requeue = true);
  void basic_reject(std::uint64_t delivery_tag, bool requeue = true);
  // Gives back all that is unacknowledged.
  void basic_recover();

  // Hands deliveries to the callbacks until stop_consuming(), or until no consumer is left (all
  // cancelled, by us or by the broker). What a callback throws comes out of here.
  void start_consuming();
  // The same, for no longer than `duration`; false if there is no consumer.
  bool consume_for(std::chrono::milliseconds duration);
  // From a callback, any thread, or a signal handler: start_consuming() returns after the callback
  // at hand, or the next call of it at once. Deliveries that nobody looked at stay unacknowledged.
  void stop_consuming() noexcept;

  void close();
  bool is_open() const;

 private:
  friend class Connection;
  explicit Channel(std::unique_ptr<class ChannelImpl> impl);
  std::unique_ptr<class ChannelImpl> impl_;
};

}  // namespace haypile
