// A crew of workers, each with its own connection, simulated by one thread.
//
// A worker only waits until the time of its task is over. So dozens of workers fit on one
// processor, and dispatch is what is measured. The time and the broker are real. The thread keeps
// the ends of the tasks in a heap, and sleeps until the next one or until something arrives. How
// late it wakes up is measured (Outcome::lateness_ms) and does not add up: a worker that holds
// another task starts it when the last one should have ended. A worker that has to wait for the
// broker loses time, because its acknowledgement is really sent late.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/daemon.hpp"

namespace haypile::bench::dispatch {

struct Job {
  std::vector<std::uint64_t> tasks_ns;
  std::size_t worker_count = 1;
  std::uint16_t prefetch_count = 1;  // 0: no limit
  // The delay between an acknowledgement and its sending: a network's round trip.
  std::uint64_t round_trip_ns = 0;
  // Whether the tasks are in the queue before the first worker comes. Otherwise all workers wait
  // for them.
  bool is_backlog = false;
};

struct Outcome {
  double makespan_ms = 0;     // from the first publish to the end of the last task
  double idle_share = 0;      // the part of a worker's time, on average
  double idle_share_max = 0;  // that of the worker that had the least to do
  double broker_cpu_us = 0;   // used by the daemon, for each task
  double lateness_ms = 0;     // how late the simulating thread wakes up, on average
};

// Publishes the tasks, each of which one worker does. Throws std::runtime_error, also if nothing
// happens any more.
Outcome run(const Daemon& daemon, const Job& job);

}  // namespace haypile::bench::dispatch
