// Messages that come from a broker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <haypile/amqp/properties.hpp>
#include <haypile/config.hpp>
#include <haypile/message_properties.hpp>

namespace haypile {

// The properties for publishing. They are views that must live until basic_publish() returns;
// MessageProperties own their texts.
//   channel.basic_publish("", "task_queue", body, {.delivery_mode = persistent});
using Properties = amqp::Properties;

inline constexpr std::uint8_t transient = amqp::delivery_mode_transient;
inline constexpr std::uint8_t persistent = amqp::delivery_mode_persistent;

// A message with its envelope. It owns its bytes, in one block, and moving it copies none of them.
// Views into it are valid until the message is moved or destroyed.
class HAYPILE_EXPORT Message {
 public:
  std::string_view exchange() const { return part(0, exchange_size_); }
  std::string_view routing_key() const { return part(exchange_size_, routing_key_size_); }
  // The consumer that a delivery is for; otherwise empty.
  std::string_view consumer_tag() const { return reply_code == 0 ? note() : std::string_view{}; }
  // Why a mandatory message was returned, such as "NO_ROUTE"; otherwise empty.
  std::string_view reply_text() const { return reply_code == 0 ? std::string_view{} : note(); }
  // The properties as they are encoded on the wire.
  std::string_view raw_properties() const { return part(envelope_size(), properties_size_); }
  std::string_view body() const {
    return part(envelope_size() + properties_size_, std::string::npos);
  }
  // Decodes the properties. Malformed ones were refused when the message came.
  Properties properties() const;

  // The tag of a delivery or basic_get, for basic_ack(), basic_nack() and basic_reject() of the
  // same channel.
  std::uint64_t delivery_tag = 0;
  // How many more messages are ready; set by basic_get only.
  std::uint32_t message_count = 0;
  // The code of a message that was returned, such as 312; otherwise 0.
  std::uint16_t reply_code = 0;
  // Whether the message may have been delivered before.
  bool redelivered = false;

 private:
  friend class MessageBuilder;
  friend class ChannelImpl;
  std::string_view part(std::size_t at, std::size_t size) const {
    return std::string_view(bytes_).substr(at, size);
  }
  std::size_t envelope_size() const {
    return std::size_t{exchange_size_} + routing_key_size_ + note_size_;
  }
  std::string_view note() const {
    return part(std::size_t{exchange_size_} + routing_key_size_, note_size_);
  }

  std::string bytes_;
  std::uint64_t channel_id_ = 0;  // which Channel object it came from
  std::uint32_t properties_size_ = 0;
  std::uint8_t exchange_size_ = 0;
  std::uint8_t routing_key_size_ = 0;
  std::uint8_t note_size_ = 0;  // of the consumer tag or the reply text
};

}  // namespace haypile
