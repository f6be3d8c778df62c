// The x-arguments of a queue that have an effect.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/definitions.hpp"
#include "engine/error.hpp"
#include "engine/table_reader.hpp"

namespace haypile::engine {

enum class Overflow : std::uint8_t { drop_head, reject_publish, reject_publish_dlx };

struct QueueOptions {
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  bool quorum = false;  // of type `quorum`: counts deliveries
  std::optional<std::uint64_t> message_ttl_ms;
  std::optional<std::uint64_t> expires_ms;  // deleted when unused for this long
  std::uint64_t length_max = unlimited;     // ready messages
  std::uint64_t length_max_bytes = unlimited;
  Overflow overflow = Overflow::drop_head;
  std::optional<std::string> dead_letter_exchange;
  std::optional<std::string> dead_letter_routing_key;
  std::uint8_t priority_max = 0;
  bool single_active_consumer = false;
  std::optional<std::uint64_t> delivery_limit;

  bool is_limited() const { return length_max != unlimited || length_max_bytes != unlimited; }
  bool counts_deliveries() const { return quorum || delivery_limit.has_value(); }
};

// Reads `definition.arguments`. Returns precondition_failed for a value of the wrong type or out of
// range, and for arguments that exclude each other. `place` is for the text: "for queue 'q' in
// vhost '/'".
Error read_queue_options(const TableReader& reader, const QueueDefinition& definition,
                         bool exclusive, const std::string& place, QueueOptions& out);

// An argument in which two declarations of a queue have to agree, with its value as text. Integers
// are compared by value, whatever their width.
struct EffectiveArgument {
  std::string_view name;
  std::string value;
};
std::vector<EffectiveArgument> effective_arguments(const TableReader& reader,
                                                   std::string_view arguments);

}  // namespace haypile::engine
