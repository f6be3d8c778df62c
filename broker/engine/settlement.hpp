// What happens to a message that was given out.
#pragma once

#include <cstdint>

namespace haypile::engine {

enum class Settlement : std::uint8_t { ack, drop, requeue };

}  // namespace haypile::engine
