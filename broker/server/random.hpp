#pragma once

#include <cstdint>
#include <string>

namespace haypile::server {

// 22 characters of [A-Za-z0-9_-] with 128 bits from the system's random numbers.
std::string random_name();

std::uint64_t random_number();

}  // namespace haypile::server
