// Text that somebody else chose, made fit to be shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace haypile::amqp {

// One line that can do nothing to a terminal or a log: control characters, octets that are not
// UTF-8, and characters that hide or reorder what is around them, are written as \n, \t, \r or \xNN
// for each octet. What is longer than `size_max` octets, at least 3, is cut and ends with "...".
std::string printable(std::string_view text, std::size_t size_max = 255);

}  // namespace haypile::amqp
