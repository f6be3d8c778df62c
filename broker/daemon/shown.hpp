// Names and paths for printing: a queue may have any name.
#pragma once

#include <string>
#include <string_view>

#include <haypile/amqp/printable.hpp>

namespace haypile {

// Longer than any path, and than any line that somebody would read.
inline constexpr std::size_t shown_max_bytes = 8192;

inline std::string shown(std::string_view text) {
  return amqp::printable(text, shown_max_bytes);
}

}  // namespace haypile
