// The names of segments and piles: a number in 16 hexadecimal digits, and a suffix.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace haypile::log {

std::string numbered_name(std::uint64_t number, std::string_view suffix);
// Returns nothing for a name that numbered_name() never makes with that suffix.
std::optional<std::uint64_t> number_in(std::string_view name, std::string_view suffix);

}  // namespace haypile::log
