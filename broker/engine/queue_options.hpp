// The x-arguments of a queue that mean something.
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
  std::optional<std::uint64_t> expires_ms;  // unused for so long it is deleted
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

// Reads `definition.arguments`. precondition_failed for a value of the wrong type or out of range,
// and for what does not go together. `place` is for the text: "for queue 'q' in vhost '/'".
Error read_queue_options(const TableReader& reader, const QueueDefinition& definition,
                         bool exclusive, const std::string& place, QueueOptions& out);

// The arguments that two declarations of a queue have to agree in, with their values as text;
// integers by value, whatever their width.
struct EffectiveArgument {
  std::string_view name;
  std::string value;
};
std::vector<EffectiveArgument> effective_arguments(const TableReader& reader,
                                                   std::string_view arguments);

}  // namespace haypile::engine
