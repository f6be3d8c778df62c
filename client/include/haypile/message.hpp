// Messages as they come from a broker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <haypile/amqp/properties.hpp>

namespace haypile {

// For publishing: the views have to live until basic_publish() returns.
//   channel.basic_publish("", "task_queue", body, {.delivery_mode = persistent});
using Properties = amqp::Properties;

inline constexpr std::uint8_t transient = amqp::delivery_mode_transient;
inline constexpr std::uint8_t persistent = amqp::delivery_mode_persistent;

// A message with its envelope; owns its bytes, in one piece. The views it gives are valid as long
// as it is, and not across a move.
class Message {
 public:
  std::string_view exchange() const { return part(0, exchange_size_); }
  std::string_view routing_key() const { return part(exchange_size_, routing_key_size_); }
  // Encoded, as on the wire.
  std::string_view raw_properties() const {
    return part(exchange_size_ + routing_key_size_, properties_size_);
  }
  std::string_view body() const {
    return part(exchange_size_ + routing_key_size_ + properties_size_, std::string::npos);
  }
  // Decodes them; malformed ones have been refused when they came.
  Properties properties() const;

  // Of a delivery or basic_get: to be given to basic_ack() and the like of the same channel.
  std::uint64_t delivery_tag = 0;
  // Whether it may have been delivered before.
  bool redelivered = false;
  // Of a delivery.
  std::string consumer_tag;
  // Of basic_get: how many more are ready.
  std::uint32_t message_count = 0;
  // Of a message that came back (mandatory): why, such as 312, "NO_ROUTE".
  std::uint16_t reply_code = 0;
  std::string reply_text;

 private:
  friend class MessageBuilder;
  std::string_view part(std::size_t at, std::size_t size) const {
    return std::string_view(bytes_).substr(at, size);
  }

  std::string bytes_;
  std::size_t exchange_size_ = 0;
  std::size_t routing_key_size_ = 0;
  std::size_t properties_size_ = 0;
};

}  // namespace haypile
