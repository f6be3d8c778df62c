#pragma once

#include <string>

namespace haypile::server {

// 22 characters of [A-Za-z0-9_-] with 128 bits from the system's random numbers.
std::string random_name();

}  // namespace haypile::server
