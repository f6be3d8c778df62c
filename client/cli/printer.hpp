// Prints messages on standard output.
#pragma once

#include <string>

#include <haypile/message.hpp>

#include "work.hpp"

namespace haypile::cli {

// The number of the delivery, beginning with 1, as far as the broker tells: x-delivery-count + 1.
std::uint64_t delivery_number(const Properties& properties);

// The message as a JSON object: "body" (or "body_base64"), "properties", "headers", and how it
// came.
std::string message_json(const Message& message, const std::string& queue);

// Prints the message so that it can be told from the next one: with a line feed, with a NUL, or as
// one line of JSON. Throws Error if it could not be written.
void print(const Message& message, const std::string& queue, Output output);

}  // namespace haypile::cli
