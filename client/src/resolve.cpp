#include "resolve.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <netdb.h>

#include <haypile/error.hpp>

#include "signals_blocked.hpp"

namespace haypile {

namespace {

struct Found {
  int error = 0;
  std::vector<Address> addresses;
};

Found look_up(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  Found found;
  found.error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  if (found.error != 0) return found;
  for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
    Address address;
    address.size = std::min<socklen_t>(entry->ai_addrlen, sizeof address.storage);
    std::memcpy(&address.storage, entry->ai_addr, address.size);
    found.addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  return found;
}

// What a look-up and the one who waits for it share. It lives until both have ended.
struct LookUp {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<Found> found;
};

std::optional<Found> look_up_until(const std::string& host, const std::string& port,
                                   std::chrono::steady_clock::time_point until) {
  const auto shared = std::make_shared<LookUp>();
  {
    const SignalsBlocked blocked;
    std::thread([shared, host, port] {
      Found found = look_up(host, port, 0);
      const std::lock_guard lock(shared->mutex);
      shared->found = std::move(found);
      shared->done.notify_one();
    }).detach();
  }
  std::unique_lock lock(shared->mutex);
  shared->done.wait_until(lock, until, [&] { return shared->found.has_value(); });
  return std::move(shared->found);
}

}  // namespace

std::vector<Address> resolve(const std::string& host, std::uint16_t port,
                             std::chrono::steady_clock::time_point until) {
  const std::string service = std::to_string(port);
  // An address needs no look-up.
  std::optional<Found> found = look_up(host, service, AI_NUMERICHOST);
  if (found->error != 0) found = look_up_until(host, service, until);
  if (!found) throw ConnectionFailed("cannot find host '" + host + "' in time");
  if (found->error != 0) {
    throw ConnectionFailed("cannot find host '" + host + "': " + ::gai_strerror(found->error));
  }
  return std::move(found->addresses);
}

}  // namespace haypile
