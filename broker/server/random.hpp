#pragma once

#include <cstdint>
#include <string>

namespace haypile::server {

// A name of 22 characters from [A-Za-z0-9_-], with 128 bits of the system's random numbers.
std::string random_name();

std::uint64_t random_number();

}  // namespace haypile::server
