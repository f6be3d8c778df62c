// Texts from clients, where people read them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace haypile::session {

// A name or text of a client, for log lines and reply texts: control characters, and bytes that are
// not part of well-formed UTF-8, become \xNN; what is longer than `size_max` bytes is cut, which
// three dots tell.
std::string printable(std::string_view text, std::size_t size_max = 128);

}  // namespace haypile::session
