// Checks of what a client sends besides the fields of methods: consumer arguments and message
// properties. An invalid value is refused and never ignored.
#pragma once

#include <cstdint>
#include <string_view>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "session/fault.hpp"

namespace haypile::session {

// Sets `priority` to the argument `x-priority` if it is there.
Fault read_consumer_arguments(amqp::TableView arguments, std::int64_t& priority);
// `user` is the name that the connection logged in with; the property `user_id` must be the same.
Fault check_properties(const amqp::Properties& properties, std::string_view user);

}  // namespace haypile::session
