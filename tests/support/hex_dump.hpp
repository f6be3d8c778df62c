#pragma once

#include <cstdlib>
#include <sstream>
#include <string>

namespace haypile::test {

// Converts every word of two digits to a byte. Offsets, which are longer, are ignored.
inline std::string from_hex_dump(const char* dump) {
  std::istringstream lines(dump);
  std::string bytes;
  for (std::string word; lines >> word;) {
    if (word.size() == 2) bytes += static_cast<char>(std::strtol(word.c_str(), nullptr, 16));
  }
  return bytes;
}

}  // namespace haypile::test
