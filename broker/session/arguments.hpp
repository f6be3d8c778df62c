// The x-arguments of declarations, and the properties of messages: what is accepted, what is
// refused and why. An argument that means something elsewhere is never passed over in silence.
#pragma once

#include <string_view>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "session/fault.hpp"

namespace haypile::session {

Fault check_queue_arguments(amqp::TableView arguments);
Fault check_exchange_arguments(amqp::TableView arguments);
Fault check_consumer_arguments(amqp::TableView arguments);
// `user`: who the connection logged in as.
Fault check_properties(const amqp::Properties& properties, std::string_view user);

}  // namespace haypile::session
