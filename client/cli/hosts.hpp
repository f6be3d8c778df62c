// The brokers that a command may talk to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <haypile/client.hpp>

namespace haypile::cli {

// Cuts a list of URIs at each comma that another URI follows. Other commas belong to a URI.
std::vector<std::string> split_uris(std::string_view text);

// A list of brokers that are tried in turn.
class Hosts {
 public:
  // Each text is a URI, or a list of them. Throws ConnectionFailed if one of them makes no sense.
  explicit Hosts(const std::vector<std::string>& texts);

  // Tries each broker once, beginning behind the one that was connected to last. If there is none,
  // throws the error of the only broker, or ConnectionFailed with what each of them said.
  Connection connect();

 private:
  std::vector<ConnectionOptions> brokers_;
  std::size_t next_ = 0;
};

}  // namespace haypile::cli
