// Why a client's frame is refused. The texts are in a file of their own, so that the functions that
// handle every message stay short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <haypile/amqp/types.hpp>

#include "session/fault.hpp"

namespace haypile::session::refusals {

// A method came in the middle of a message.
Fault content_is_missing(amqp::MethodId id);
// No channel handles this method.
Fault not_for_clients(amqp::MethodId id);

Fault immediate_publish();
Fault header_without_method();
Fault malformed_header(amqp::DecodeError error);
Fault wrong_class(std::uint16_t class_id);
Fault malformed_properties(amqp::DecodeError error);
Fault properties_too_large(std::size_t size, std::size_t size_max);
// The content header of a message for the client is larger than its frames may be.
Fault header_too_large(std::size_t size, std::size_t frame_max);
Fault message_too_large(std::uint64_t size, std::uint64_t size_max);

Fault body_without_header();
Fault body_too_long(std::uint64_t declared_size);

Fault invalid_expiration(std::string_view expiration);
Fault invalid_delivery_mode(std::uint8_t mode);
Fault wrong_user(std::string_view told, std::string_view user);

}  // namespace haypile::session::refusals
