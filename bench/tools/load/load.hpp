// Work for a broker, and what came of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "tools/load/link.hpp"

namespace haypile::bench::load {

struct Options {
  Address address;
  std::size_t publisher_count = 1;
  std::size_t consumer_count = 1;
  std::string name = "haypile-perf";  // what the names of queues begin with
  std::size_t queue_count = 1;        // publishers and consumers are dealt to them in turn
  std::string queue_type;             // x-queue-type
  // If not 0: messages go through a topic exchange with so many bindings, each to one queue.
  std::size_t binding_count = 0;
  std::size_t size_bytes = 100;
  bool persistent = true;
  std::size_t confirm_window = 1000;  // of a publisher; 0: no confirms
  std::uint16_t prefetch_count = 1000;
  std::size_t ack_every = 1;  // 0: automatic
  double rate = 0;            // messages a second, of all publishers; 0: as many as go
  // Published and not consumed, of all: more is not sent without confirms, where nothing else
  // holds it back.
  std::uint64_t on_the_way_max = 50'000;
  double warm_up_seconds = 1;
  double seconds = 5;
  std::uint64_t fill_count = 0;  // if not 0: so many are published, and then consumed
  int broker_pid = 0;            // if not 0: what it takes is reported as well
};

// Throws std::runtime_error. Numbers are per second, latencies in milliseconds, from the time when
// a message was due to be sent, which is not later for its having had to wait.
nlohmann::ordered_json run(const Options& options);

}  // namespace haypile::bench::load
