#pragma once

#include <cstdlib>
#include <sstream>
#include <string>

namespace haypile::test {

// Every word of two digits is a byte; offsets, which have more, are passed over.
inline std::string from_hex_dump(const char* dump) {
  std::istringstream lines(dump);
  std::string bytes;
  for (std::string word; lines >> word;) {
    if (word.size() == 2) bytes += static_cast<char>(std::strtol(word.c_str(), nullptr, 16));
  }
  return bytes;
}

}  // namespace haypile::test
