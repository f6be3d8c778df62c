// A crew of workers, each with a connection of its own, played by one thread.
//
// A worker that works does nothing but wait until its task's time is over, so that dozens of them
// fit on one processor, and what is measured is dispatch. Time is real and so is the broker. The
// thread keeps the ends of the tasks in a heap and sleeps until the next one or until something
// arrives. That it wakes up late is known (Outcome::lateness_ms) and does not add up: a worker that
// holds another task starts it when the last one should have ended. One that has to wait for the
// broker pays for it, as its acknowledgement really goes out late.
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
  // How much later than it is sent an acknowledgement goes out: a network's round trip.
  std::uint64_t round_trip_ns = 0;
  // The tasks are in the queue before the first worker comes. Otherwise all workers wait for them.
  bool is_backlog = false;
};

struct Outcome {
  double makespan_ms = 0;     // from the first publish to the end of the last task
  double idle_share = 0;      // of a worker's time, on average
  double idle_share_max = 0;  // of the worker that had the least to do
  double broker_cpu_us = 0;   // that the daemon's threads have used, for each task
  double lateness_ms = 0;     // of the thread that plays the workers, on average
};

// Publishes the tasks and has them done, each by one worker. Throws std::runtime_error; if nothing
// happens any more, too.
Outcome run(const Daemon& daemon, const Job& job);

}  // namespace haypile::bench::dispatch
