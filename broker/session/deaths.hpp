// The headers that tell of a message's dead-lettering: x-death and x-first-death-*, as RabbitMQ
// writes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "engine/property_codec.hpp"

namespace haypile::session {

// Sets `headers` to those of `properties`, which are the message's, after that death. x-death is an
// array with one entry a (queue, reason), newest first. False if it is as long as it may get
// (engine::dead_letter_count_max).
bool add_death(const engine::MessageView& message, const amqp::Properties& properties,
               const engine::Death& death, amqp::Table& headers);

// The queues that x-death says the message has died in since a consumer rejected it last, the last
// one first: where it came to again it would go round for ever.
std::vector<std::string> stations_in(const amqp::TableView& headers);

// Takes out all that tells of deaths, and of copies.
void remove_deaths(amqp::Table& headers);

// The header that marks copies, with the fields of an engine::CopyMark.
inline constexpr std::string_view copies_header = "x-death-copies";
engine::CopyMark mark_in(const amqp::TableView& headers);
amqp::Table to_table(const engine::CopyMark& mark);

}  // namespace haypile::session
