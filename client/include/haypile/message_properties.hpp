// Properties of a message that own their texts.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>

#include <haypile/amqp/properties.hpp>
#include <haypile/config.hpp>

namespace haypile {

// The properties of a message (AMQP 0-9-1, class basic), with texts and headers of their own. A
// function can fill them and return them, and they can be kept:
//   MessageProperties job_properties(std::chrono::milliseconds ttl) {
//     MessageProperties properties{.delivery_mode = persistent};
//     properties.headers.set("attempt", 1);
//     properties.expiration = std::to_string(ttl.count());
//     return properties;
//   }
// amqp::Properties, the views, are faster: they copy and allocate nothing. A program that publishes
// many messages with the same properties keeps one of these, and views of it.
//
// The fields have the order and the meaning of those of amqp::Properties. A text of more than 255
// bytes can be kept, but not sent.
struct HAYPILE_EXPORT MessageProperties {
  std::optional<std::string> content_type{};
  std::optional<std::string> content_encoding{};
  amqp::Table headers{};  // not sent if it is empty
  std::optional<std::uint8_t> delivery_mode{};
  std::optional<std::uint8_t> priority{};
  std::optional<std::string> correlation_id{};
  std::optional<std::string> reply_to{};
  std::optional<std::string> expiration{};  // the time to live in milliseconds, as a decimal number
  std::optional<std::string> message_id{};
  std::optional<amqp::Timestamp> timestamp{};
  std::optional<std::string> type{};
  std::optional<std::string> user_id{};
  std::optional<std::string> app_id{};
  std::optional<std::string> cluster_id{};

  // Copies what the views show, for example the properties of a message that is about to go.
  static MessageProperties copy_of(const amqp::Properties& views);

  // Views of this, valid until it is changed, moved or destroyed.
  operator amqp::Properties() const&;
  operator amqp::Properties() const&& = delete;  // it ends here: give it a name

  bool operator==(const MessageProperties&) const = default;
};

// For a second overload of a function that takes `const Properties&`. With it, a call may have
// temporaries in a braced list, since what owns them lives until the call returns:
//   channel.basic_publish("", "q", body, {.expiration = std::to_string(ttl_ms)});
// The overload is a template, so that the one with views is preferred wherever both can be called:
//   template <OwningProperties Owned = MessageProperties>
//   void basic_publish(..., const Owned& properties) {
//     const Properties views = properties;
//     basic_publish(..., views);
//   }
template <class T>
concept OwningProperties = std::same_as<T, MessageProperties>;

}  // namespace haypile
