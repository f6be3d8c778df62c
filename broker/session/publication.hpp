// A complete message on its way from its last frame to the engine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/properties.hpp>

#include "engine/engine.hpp"

namespace haypile::session {

// The queue name for direct reply-to: replies without a queue of the client's own.
inline constexpr std::string_view reply_queue = "amq.rabbitmq.reply-to";

// What the broker changes in an incoming message: the routing keys in `CC` and `BCC` are added,
// `BCC` is removed, and the name reply_queue in `reply_to` becomes a name that leads back to the
// channel.
struct Rewrite {
  std::vector<std::string> more_keys;
  std::vector<std::string_view> key_views;  // views into more_keys
  std::string properties;                   // empty if they do not change

  static bool is_needed(const amqp::Properties& properties);
  // `reply_name` is the name under which the channel receives replies.
  Rewrite(const amqp::Properties& properties, std::string_view reply_name);
};

// Adds the header `x-delivery-count`, if the headers have room for one more value.
std::string with_delivery_count(std::string_view properties, std::uint32_t count);

// Replaces the channel's own name for replies in `reply_to` by reply_queue again.
std::string with_common_reply_name(std::string_view properties);

// A published message that waits for tx.commit.
struct Pending {
  engine::Draft message;
  engine::MessageTraits traits;
  std::vector<std::string> more_keys;
  bool mandatory = false;
};

}  // namespace haypile::session
