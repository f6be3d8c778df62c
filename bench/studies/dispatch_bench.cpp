// Round robin against fair dispatch: how much longer than the optimum a number of workers needs for
// tasks of uneven length, for each prefetch count; how long workers are idle; what the broker uses.
// The broker is a daemon of the benchmark, its queue and messages are transient, and the workers
// only wait (dispatch/crew.hpp).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "common/daemon.hpp"
#include "common/support.hpp"
#include "studies/dispatch/crew.hpp"
#include "studies/dispatch/tasks.hpp"

namespace {

using namespace haypile::bench;
using dispatch::Lengths;

struct Options {
  std::string daemon;
  std::string json;
  std::size_t task_count = 1600;
  double mean_ms = 4;
  double round_trip_ms = 1;
  std::size_t round_count = 3;
  std::uint64_t seed = 1;
  bool is_quick = false;
};

struct Case {
  std::string part;
  Lengths lengths = Lengths::uniform;
  std::size_t task_count = 0;
  double mean_ms = 0;
  std::size_t worker_count = 0;
  std::uint16_t prefetch_count = 0;  // 0: not set
  double round_trip_ms = 0;
  bool is_backlog = false;
  std::size_t round_count = 1;
};

struct Round {
  dispatch::Outcome outcome;
  double best_ms = 0;
  double greedy_ms = 0;
  // The makespan divided by the optimum; for tasks without length, the makespan itself.
  double ratio() const { return outcome.makespan_ms / (best_ms > 0 ? best_ms : 1); }
};

const std::vector<std::uint16_t> all_prefetch_counts{1, 2, 10, 100, 0};

std::uint64_t in_ns(double ms) {
  return static_cast<std::uint64_t>(std::llround(ms * 1e6));
}

// The main question: task lengths, by workers, by prefetch count.
void add_lengths(const Options& options, std::vector<Case>& cases) {
  const std::vector<std::size_t> worker_counts =
      options.is_quick ? std::vector<std::size_t>{4, 16}
                       : std::vector<std::size_t>{2, 4, 8, 16, 32, 64};
  for (const Lengths lengths : {Lengths::uniform, Lengths::odd_even, Lengths::heavy_tailed}) {
    for (const std::size_t worker_count : worker_counts) {
      for (const std::uint16_t prefetch_count : all_prefetch_counts) {
        // A run with few workers is long, so chance has less influence.
        cases.push_back({.part = "lengths",
                         .lengths = lengths,
                         .task_count = options.task_count,
                         .mean_ms = options.mean_ms,
                         .worker_count = worker_count,
                         .prefetch_count = prefetch_count,
                         .round_count = worker_count < 8 ? 1 : options.round_count});
      }
    }
  }
}

// The cost of a prefetch of 1: each task waits for a round trip, which matters if tasks are short.
void add_distance(const Options& options, std::vector<Case>& cases) {
  const std::vector<double> means_ms =
      options.is_quick ? std::vector<double>{1} : std::vector<double>{0.25, 0.5, 1, 2, 4, 8};
  for (const double mean_ms : means_ms) {
    for (const std::uint16_t prefetch_count : all_prefetch_counts) {
      cases.push_back({.part = "distance",
                       .task_count = options.task_count / 2,
                       .mean_ms = mean_ms,
                       .worker_count = 8,
                       .prefetch_count = prefetch_count,
                       .round_trip_ms = options.round_trip_ms,
                       .round_count = options.round_count});
    }
  }
}

void add_rest(const Options& options, std::vector<Case>& cases) {
  for (const std::size_t worker_count : {std::size_t{1}, std::size_t{8}}) {
    for (const std::uint16_t prefetch_count : all_prefetch_counts) {
      cases.push_back({.part = "no_work",
                       .task_count = options.task_count * 10,
                       .worker_count = worker_count,
                       .prefetch_count = prefetch_count,
                       .round_count = options.round_count});
    }
  }
  for (const std::uint16_t prefetch_count : all_prefetch_counts) {
    cases.push_back({.part = "backlog",
                     .task_count = options.task_count / 4,
                     .mean_ms = options.mean_ms,
                     .worker_count = 8,
                     .prefetch_count = prefetch_count,
                     .is_backlog = true});
  }
}

// Returns the best of the rounds, which have the same tasks: other programs on the machine can only
// add time.
Round run(const Daemon& daemon, const Options& options, const Case& each) {
  std::vector<Round> rounds(each.round_count);
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    const dispatch::Job job{.tasks_ns = dispatch::make_tasks(each.lengths, each.task_count,
                                                             in_ns(each.mean_ms), options.seed),
                            .worker_count = each.worker_count,
                            .prefetch_count = each.prefetch_count,
                            .round_trip_ns = in_ns(each.round_trip_ms),
                            .is_backlog = each.is_backlog};
    rounds[i].best_ms = dispatch::best_ns(job.tasks_ns, job.worker_count) / 1e6;
    rounds[i].greedy_ms = dispatch::greedy_ns(job.tasks_ns, job.worker_count) / 1e6;
    rounds[i].outcome = dispatch::run(daemon, job);
  }
  return *std::ranges::min_element(rounds, {}, &Round::ratio);
}

nlohmann::ordered_json json_of(const Case& each, const Round& round) {
  const dispatch::Outcome& outcome = round.outcome;
  nlohmann::ordered_json json{{"part", each.part},
                              {"lengths", dispatch::name_of(each.lengths)},
                              {"tasks", each.task_count},
                              {"mean_ms", each.mean_ms},
                              {"workers", each.worker_count},
                              {"prefetch", each.prefetch_count},
                              {"round_trip_ms", each.round_trip_ms},
                              {"rounds", each.round_count},
                              {"makespan_ms", outcome.makespan_ms}};
  if (each.mean_ms > 0) {
    json["best_ms"] = round.best_ms;
    json["ratio"] = round.ratio();
    json["greedy_ratio"] = round.greedy_ms / round.best_ms;
    json["idle_share"] = outcome.idle_share;
    json["idle_share_max"] = outcome.idle_share_max;
    json["lateness_ms"] = outcome.lateness_ms;
  } else {
    json["tasks_per_second"] = static_cast<double>(each.task_count) * 1000 / outcome.makespan_ms;
  }
  json["broker_cpu_us_per_task"] = outcome.broker_cpu_us;
  return json;
}

void print(const Case& each, const Round& round) {
  const dispatch::Outcome& outcome = round.outcome;
  const std::string prefetch =
      each.prefetch_count == 0 ? "none" : std::to_string(each.prefetch_count);
  std::printf("%-9s%-13s%8.2f%8zu%9s%12.1f", each.part.c_str(),
              std::string(dispatch::name_of(each.lengths)).c_str(), each.mean_ms, each.worker_count,
              prefetch.c_str(), outcome.makespan_ms);
  if (each.mean_ms > 0) {
    std::printf("%8.3f%8.3f%7.1f%7.1f", round.ratio(), round.greedy_ms / round.best_ms,
                100 * outcome.idle_share, 100 * outcome.idle_share_max);
  } else {
    std::printf("%8s%8s%7s%7s", "-", "-", "-", "-");
  }
  std::printf("%9.2f%9.3f\n", outcome.broker_cpu_us, outcome.lateness_ms);
  std::fflush(stdout);
}

int bench_main(int argc, char** argv) {
  Options options;
  options.daemon = (std::filesystem::path(argv[0]).parent_path() / "haypiled").string();
  CLI::App app("Uneven tasks under round robin and under fair dispatch.");
  app.add_option("--daemon", options.daemon, "The program")->capture_default_str();
  app.add_option("--tasks", options.task_count, "Tasks a run")
      ->check(CLI::Range(8, 1'000'000))
      ->capture_default_str();
  app.add_option("--mean", options.mean_ms, "Milliseconds of a task, on average")
      ->check(CLI::Range(0.1, 10'000.0))
      ->capture_default_str();
  app.add_option("--round-trip", options.round_trip_ms, "Milliseconds to workers far away")
      ->capture_default_str();
  app.add_option("--rounds", options.round_count, "Rounds from 8 workers on; the best counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of the tasks")->capture_default_str();
  app.add_flag("--quick", options.is_quick, "Some cases, one round, a quarter of the tasks");
  app.add_option("--json", options.json, "Write the results to this file");
  CLI11_PARSE(app, argc, argv);
  if (options.is_quick) {
    options.task_count = std::max<std::size_t>(options.task_count / 4, 8);
    options.round_count = 1;
  }

  std::vector<Case> cases;
  add_lengths(options, cases);
  add_distance(options, cases);
  add_rest(options, cases);
  const ScratchDirectory directory;
  const Daemon daemon(options.daemon, directory.path());
  std::printf("%-9s%-13s%8s%8s%9s%12s%8s%8s%7s%7s%9s%9s\n", "part", "lengths", "mean ms", "workers",
              "prefetch", "makespan ms", "/ best", "greedy", "idle %", "max %", "cpu us",
              "late ms");
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const Case& each : cases) {
    const Round round = run(daemon, options, each);
    print(each, round);
    results.push_back(json_of(each, round));
  }
  write_json(options.json, {{"seed", options.seed}, {"cases", results}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench_main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "dispatch_bench: " << error.what() << '\n';
    return 1;
  }
}
