// The result of a recovery as text for the broker's log.
#pragma once

#include <cstddef>
#include <string>

#include "log/replay.hpp"

namespace haypile::server {

// One line of JSON. It names the queues with the most messages, reported_queues_max at most; the
// counts include all queues.
inline constexpr std::size_t reported_queues_max = 20;
std::string to_json(const log::RecoveryReport& report);

}  // namespace haypile::server
