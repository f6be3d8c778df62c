// The headers that tell of a message's dead-lettering: x-death and x-first-death-*, as RabbitMQ
// writes them.
#pragma once

#include <string_view>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "engine/wire.hpp"

namespace haypile::session {

// Sets `headers` to those of `properties`, which are the message's, after that death. x-death is an
// array with one entry a (queue, reason), newest first. False if it is as long as it may get
// (engine::dead_letter_count_max).
bool add_death(const engine::MessageView& message, const amqp::Properties& properties,
               const engine::Death& death, amqp::Table& headers);

// Whether x-death says that the message has died in that queue, and that no consumer has rejected
// it since: then it would go round for ever.
bool died_unasked_in(const amqp::Properties& properties, std::string_view queue);

}  // namespace haypile::session
