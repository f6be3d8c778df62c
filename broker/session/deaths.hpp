// The headers that tell about a message's dead-lettering: x-death and x-first-death-*, in
// RabbitMQ's format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "engine/property_codec.hpp"

namespace haypile::session {

enum class Noted {
  yes,
  died_too_often,  // x-death would be longer than engine::dead_letter_count_max
  no_room,         // the headers would have more values than a table may have
};

// Sets `headers` to the headers of the message after `death`; `properties` are the message's own.
// x-death is an array with one entry per (queue, reason), newest first. If it returns another value
// than `yes`, the headers about this death are missing or incomplete.
Noted add_death(const engine::MessageView& message, const amqp::Properties& properties,
                const engine::Death& death, amqp::Table& headers);

// The queues in which the message died since a consumer last rejected it, as x-death tells them,
// newest first. A message that came to one of them again would circle for ever.
std::vector<std::string> stations_in(const amqp::TableView& headers);

// Removes all headers about deaths and copies.
void remove_deaths(amqp::Table& headers);

// The header that marks copies. Its fields are those of engine::CopyMark.
inline constexpr std::string_view copies_header = "x-death-copies";
engine::CopyMark mark_in(const amqp::TableView& headers);
amqp::Table to_table(const engine::CopyMark& mark);

}  // namespace haypile::session
