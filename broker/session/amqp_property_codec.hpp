// How the engine reads and changes AMQP field tables and message properties.
#pragma once

#include <haypile/amqp/properties.hpp>

#include "engine/property_codec.hpp"

namespace haypile::session {

// Implements engine::PropertyCodec for encoded AMQP 0-9-1 tables and properties, which must have
// been validated when they came in.
class AmqpPropertyCodec final : public engine::PropertyCodec {
 public:
  std::vector<engine::TableField> fields(std::string_view table) const override;
  std::optional<engine::TableValue> find(std::string_view table,
                                         std::string_view name) const override;
  std::optional<std::string> text(std::string_view table, std::string_view name) const override;
  std::string in_order(std::string_view table) const override;
  engine::MessageTraits traits(std::string_view properties) const override;
  std::string_view headers(std::string_view properties) const override;
  engine::DeadMessage after_death(const engine::MessageView& message,
                                  const engine::Death& death) const override;
  std::size_t bare_size(std::string_view properties) const override;
  std::string with_mark(std::string_view properties, const engine::CopyMark& mark) const override;
};

// Converts decoded properties that have been checked. An `expiration` that is not a number counts
// as absent.
engine::MessageTraits traits_of(const amqp::Properties& properties);

// The encoded header table, a view into `properties`; empty if there is none.
std::string_view headers_in(std::string_view properties);

// The properties without the headers that tell about deaths and copies.
std::string bare_properties(std::string_view properties);

// Parses the property `expiration`, in milliseconds. Returns nothing if the text is not a whole
// number up to engine::time_max_ms.
std::optional<std::uint64_t> parse_expiration(std::string_view text);

// The routing keys in the header `name`, which is an array. Ignores elements that are not strings
// or are too long for a routing key.
std::vector<std::string> strings_in_header(const amqp::Properties& properties,
                                           std::string_view name);

}  // namespace haypile::session
