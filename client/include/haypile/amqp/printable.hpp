// Makes text that somebody else has chosen fit to be shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <haypile/config.hpp>

namespace haypile::amqp {

// Returns one line without effects on a terminal or a log. Control characters, octets that are not
// UTF-8, and characters that hide or reorder their neighbours are written as \n, \t, \r or \xNN for
// each octet. Text longer than `size_max` octets, at least 3, is cut and ends with "...".
std::string printable(std::string_view text, std::size_t size_max = 255);

}  // namespace haypile::amqp
