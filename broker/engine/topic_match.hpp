// Topic patterns (AMQP 0-9-1, 3.1.3.3).
#pragma once

#include <string_view>

namespace haypile::engine {

// Words are parted by dots; `*` in the pattern stands for one word, `#` for any number of them.
bool topic_matches(std::string_view pattern, std::string_view routing_key);

}  // namespace haypile::engine
