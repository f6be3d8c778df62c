// What a recovery has found, for the broker's log.
#pragma once

#include <cstddef>
#include <string>

#include "log/replay.hpp"

namespace haypile::server {

// One line of JSON. Queues are named up to so many, those that have the most messages; the counts
// are of all of them.
inline constexpr std::size_t reported_queues_max = 20;
std::string to_json(const log::RecoveryReport& report);

}  // namespace haypile::server
