// The names of a message's properties (AMQP 0-9-1, class basic).
#pragma once

#include <array>
#include <cstddef>
#include <tuple>

#include <haypile/message.hpp>

namespace haypile::cli {

// The names in the order of Properties::fields().
inline constexpr std::array property_names{
    "content_type",   "content_encoding", "headers",    "delivery_mode", "priority",
    "correlation_id", "reply_to",         "expiration", "message_id",    "timestamp",
    "type",           "user_id",          "app_id",     "cluster_id"};

// Calls visit(name, field) for each property, headers among them. A field is a std::optional or an
// amqp::OptionalView.
template <class P, class Visit>
void for_each_property(P& properties, Visit visit) {
  std::size_t index = 0;
  std::apply([&](auto&... fields) { (visit(property_names[index++], fields), ...); },
             properties.fields());
}

}  // namespace haypile::cli
