// A message between its last frame and the engine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/properties.hpp>

#include "engine/engine.hpp"

namespace haypile::session {

// What clients name when they want replies without a queue of their own.
inline constexpr std::string_view reply_queue = "amq.rabbitmq.reply-to";

// What the broker does to a message on its way in: the routing keys of `CC` and `BCC` are
// additional ones, `BCC` is taken out, and the name reply_queue in `reply_to` becomes one that
// leads back to the channel.
struct Rewrite {
  std::vector<std::string> more_keys;
  std::vector<std::string_view> key_views;  // of more_keys
  std::string properties;                   // empty if they stay as they are

  static bool is_needed(const amqp::Properties& properties);
  // `reply_name` is the channel's.
  Rewrite(const amqp::Properties& properties, std::string_view reply_name);
};

// The properties with the header `x-delivery-count`.
std::string with_delivery_count(std::string_view properties, std::uint32_t count);

// What a channel takes replies under, in `reply_to`, is called `amq.rabbitmq.reply-to` again.
std::string with_common_reply_name(std::string_view properties);

// A publish that waits for tx.commit.
struct Pending {
  engine::Draft message;
  engine::MessageTraits traits;
  std::vector<std::string> more_keys;
  bool mandatory = false;
};

}  // namespace haypile::session
