#include "server/descriptors.hpp"

#include <algorithm>

#include <sys/resource.h>

namespace haypile::server {

namespace {
// A log has at most ten files and directories open at a time. If there are hardly any descriptors
// at all, some are left for connections.
constexpr std::size_t kept_count = 24;
constexpr std::size_t kept_share = 4;
}  // namespace

std::size_t connection_descriptors_end() {
  ::rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto count = static_cast<std::size_t>(limit.rlim_cur);
  return count - std::min(kept_count, count / kept_share);
}

bool is_for_connections(int descriptor) {
  return static_cast<std::size_t>(descriptor) < connection_descriptors_end();
}

}  // namespace haypile::server
