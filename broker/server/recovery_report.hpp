// What a recovery has found, for the broker's log.
#pragma once

#include <string>

#include "log/replay.hpp"

namespace haypile::server {

// One line of JSON.
std::string to_json(const log::RecoveryReport& report);

}  // namespace haypile::server
