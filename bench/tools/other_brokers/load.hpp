// Work for a server, and what came of it.
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
  std::size_t window = 1000;          // of a publisher
  std::size_t prefetch_count = 1000;  // of a consumer
  double warm_up_seconds = 1;
  double seconds = 5;
  int broker_pid = 0;  // if not 0: what it takes is reported as well
};

// Throws std::runtime_error. The names are haypile-perf's; a job is consumed when its worker has
// received it. Beyond them, acknowledged_per_second: jobs whose acknowledgement has been answered.
nlohmann::ordered_json run(const Protocol& protocol, const Options& options);

}  // namespace haypile::bench::other_brokers
