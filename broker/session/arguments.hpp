// What a client says besides the methods' own fields: arguments of consumers, properties of
// messages. What is wrong is refused, never passed over in silence.
#pragma once

#include <cstdint>
#include <string_view>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "session/fault.hpp"

namespace haypile::session {

// Sets `priority` to `x-priority` if it is there.
Fault read_consumer_arguments(amqp::TableView arguments, std::int64_t& priority);
// `user`: who the connection logged in as.
Fault check_properties(const amqp::Properties& properties, std::string_view user);

}  // namespace haypile::session
