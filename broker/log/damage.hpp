// What is wrong in a data directory, and where.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace haypile::log {

// What refuses a start, or would end the broker when it comes to it.
struct Damage {
  std::string file{};  // its whole path
  std::uint64_t offset = 0;
  std::string what{};       // a phrase
  std::uint64_t bytes = 0;  // so much cannot be read; 0: nothing, or it is not known
  // Messages in queues that cannot be read; nothing if that cannot be known.
  std::optional<std::uint64_t> message_count{};
};

}  // namespace haypile::log
