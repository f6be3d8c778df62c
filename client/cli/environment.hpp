// What a command's environment says about its message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <haypile/message.hpp>

namespace haypile::cli {

inline constexpr std::size_t environment_value_max_bytes = 4096;
inline constexpr std::size_t environment_max_bytes = 65536;

// The variables as NAME=VALUE: HAYPILE_MESSAGE_ATTEMPT, HAYPILE_PROPERTY_... and
// HAYPILE_HEADER_.... In names, letters become capitals, '-' and '.' become '_'. A name with any
// other character but digits, a second variable of the same name, a value with a zero octet, and
// what exceeds one of the limits, are left out. Values that are no text are as in JSON.
std::vector<std::string> message_environment(const Properties& properties, std::uint64_t attempt);

// Whether the variable is one of the above. A command does not inherit such variables: they are of
// another message.
bool is_about_message(std::string_view variable);

}  // namespace haypile::cli
