// Damage in a data directory: what it is, and where.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace haypile::log {

// Something because of which a start is refused, or the broker would end when it reads it.
struct Damage {
  std::string file{};  // the whole path
  std::uint64_t offset = 0;
  std::string what{};       // a phrase
  std::uint64_t bytes = 0;  // that cannot be read; 0: none, or not known
  // The number of queued messages that cannot be read; nothing: not known.
  std::optional<std::uint64_t> message_count{};
};

}  // namespace haypile::log
