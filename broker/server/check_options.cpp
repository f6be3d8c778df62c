#include "server/check_options.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include "server/machine.hpp"

namespace haypile::server {

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t log_size_min = 8 * mib;
constexpr std::uint64_t log_size_max = mib << 20;
constexpr std::uint64_t memory_limit_min = mib;
constexpr std::uint64_t message_size_default = 16 * mib;
constexpr std::uint64_t message_size_max = mib << 10;
// A message is in memory while it is received and while it is sent, and there are others.
constexpr std::uint64_t message_share = 4;
// More than any disk has. Twice as much still fits into 64 bits.
constexpr std::uint64_t disk_bytes_max = std::uint64_t{1} << 60;
// Each client is told the product name in one frame.
constexpr std::size_t product_size_max = 255;

void check_range(const char* what, std::uint64_t value, std::uint64_t min, std::uint64_t max) {
  if (value >= min && value <= max) return;
  throw BrokerError(std::string(what) + " of " + std::to_string(value) + " is not within " +
                    std::to_string(min) + " to " + std::to_string(max));
}

}  // namespace

BrokerOptions checked(BrokerOptions options) {
  if (options.memory_limit_bytes == 0) options.memory_limit_bytes = machine_memory_bytes() / 2;
  check_range("a memory limit", options.memory_limit_bytes, memory_limit_min, UINT64_MAX);
  const std::uint64_t share = options.memory_limit_bytes / message_share;
  if (options.message_size_max_bytes == 0) {
    options.message_size_max_bytes = std::min(message_size_default, share);
  }
  check_range("a maximal message size", options.message_size_max_bytes, 1, message_size_max);
  if (options.message_size_max_bytes > share) {
    throw BrokerError("messages of " + std::to_string(options.message_size_max_bytes) +
                      " bytes need a memory limit of at least " +
                      std::to_string(message_share * options.message_size_max_bytes) +
                      ", and it is " + std::to_string(options.memory_limit_bytes) +
                      ": raise that or lower the maximal message size");
  }
  check_range("a log size", options.log_size_bytes, log_size_min, log_size_max);
  check_range("a disk limit", options.disk_free_limit_bytes, 0, disk_bytes_max);
  check_range("a queue memory", options.queue_memory_bytes, 0, disk_bytes_max);
  check_range("a maximum of logins", options.login_max, 1, UINT32_MAX);
  check_range("a maximum of logins per address", options.login_max_per_address, 1, UINT32_MAX);
  if (options.product.empty() || options.product.size() > product_size_max) {
    throw BrokerError("the product's name has to have 1 to " + std::to_string(product_size_max) +
                      " bytes");
  }
  return options;
}

}  // namespace haypile::server
