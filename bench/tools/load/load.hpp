// The load for a broker, and its results.
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
  std::string name = "haypile-perf";  // the beginning of the queues' names
  std::size_t queue_count = 1;        // publishers and consumers are assigned to them in turn
  std::string queue_type;             // x-queue-type
  // If not 0: messages go through a topic exchange with this many bindings, each to one queue.
  std::size_t binding_count = 0;
  std::size_t size_bytes = 100;
  bool persistent = true;
  std::size_t confirm_window = 1000;  // each publisher's; 0: no confirms
  std::uint16_t prefetch_count = 1000;
  std::size_t ack_every = 1;  // 0: automatic
  double rate = 0;            // messages per second, of all publishers; 0: as many as possible
  // The most messages of all that may be published and not consumed, if there are no confirms: then
  // nothing else limits the publishers.
  std::uint64_t on_the_way_max = 50'000;
  double warm_up_seconds = 1;
  double seconds = 5;
  std::uint64_t fill_count = 0;  // if not 0: this many are published, and then consumed
  int broker_pid = 0;            // if not 0: its resource use is reported as well
};

// Runs the load and returns its results: rates per second, latencies in milliseconds. A latency
// counts from the time when the message was due, even if it was sent later. Throws
// std::runtime_error.
nlohmann::ordered_json run(const Options& options);

}  // namespace haypile::bench::load
