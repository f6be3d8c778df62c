// The load for a server, and its results.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "tools/other_brokers/traffic.hpp"

namespace haypile::bench::other_brokers {

struct Options {
  std::uint16_t port = 0;
  std::size_t publisher_count = 1;
  std::size_t consumer_count = 1;
  std::size_t size_bytes = 100;
  std::size_t window = 1000;          // each publisher's
  std::size_t prefetch_count = 1000;  // each consumer's
  double warm_up_seconds = 1;
  double seconds = 5;
  int broker_pid = 0;  // if not 0: its resource use is reported as well
};

// Runs the load and returns its results, with the names that haypile-perf uses. A job counts as
// consumed when its worker has received it; acknowledged_per_second counts the acknowledgements
// that were answered. Throws std::runtime_error.
nlohmann::ordered_json run(const Protocol& protocol, const Options& options);

}  // namespace haypile::bench::other_brokers
