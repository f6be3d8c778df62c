// Finds the addresses of a host.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace haypile {

// An address of any family, for connect().
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// Returns at least one address. A look-up by name may take long, and cannot be ended: what is not
// there at `until` is given up, and goes on on a thread of its own. Throws ConnectionFailed.
std::vector<Address> resolve(const std::string& host, std::uint16_t port,
                             std::chrono::steady_clock::time_point until);

}  // namespace haypile
