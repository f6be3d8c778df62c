// Damage for printing, as --check and --salvage tell it.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/shown.hpp"
#include "log/damage.hpp"

namespace haypile {

// "1 message", "2 messages".
inline std::string number_of(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

// One line, without its end: file, offset, what it is, and how much is lost.
inline std::string damage_text(const log::Damage& damage) {
  std::string text = "'" + shown(damage.file) + "' at offset " + std::to_string(damage.offset) +
                     ": " + shown(damage.what);
  if (damage.bytes != 0) text += "; " + number_of(damage.bytes, "byte");
  if (damage.message_count) text += "; " + number_of(*damage.message_count, "message");
  return text;
}

}  // namespace haypile
