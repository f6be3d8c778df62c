// The tutorial's uneven tasks, odd ones heavy and even ones light, under round robin and under fair
// dispatch (prefetch_count=1): how long the whole takes, and how long workers sit idle.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include <haypile/broker.hpp>
#include <haypile/client.hpp>

#include "support.hpp"

namespace {

using namespace haypile;
using bench::Clock;
using Milliseconds = std::chrono::milliseconds;

struct Options {
  int task_count = 48;
  int heavy_ms = 40;
  int light_ms = 4;
  std::vector<int> worker_counts{1, 2, 3, 4, 6, 8};
  std::string json;
};

struct Run {
  double makespan_ms = 0;
  std::vector<double> idle_ms;  // of each worker, until the last one is done
};

const std::string queue = "tasks";

// Works for as many milliseconds as the message says; an empty one ends it. Returns how long it was
// busy.
double work(Broker& broker, std::uint16_t prefetch_count, std::atomic<int>& left) {
  auto connection = Connection::over_socket(broker.connect());
  Channel channel = connection.channel();
  channel.basic_qos(prefetch_count);
  double busy_ms = 0;
  channel.basic_consume(queue, [&](const Message& task) {
    const auto start = Clock::now();
    std::this_thread::sleep_for(Milliseconds(std::stoi(std::string(task.body()))));
    busy_ms += 1000 * bench::seconds_since(start);
    channel.basic_ack(task.delivery_tag);
    --left;
  });
  while (left > 0)
    channel.consume_for(Milliseconds(1));
  return busy_ms;
}

Run run(const Options& options, int worker_count, std::uint16_t prefetch_count) {
  Broker broker;
  auto connection = Connection::over_socket(broker.connect());
  Channel channel = connection.channel();
  channel.queue_declare(queue);
  std::atomic<int> left = options.task_count;
  std::vector<double> busy_ms(static_cast<std::size_t>(worker_count));
  std::vector<std::thread> workers;
  for (double& busy : busy_ms) {
    workers.emplace_back([&] { busy = work(broker, prefetch_count, left); });
  }
  while (channel.queue_declare(queue, {.passive = true}).consumer_count <
         static_cast<std::uint32_t>(worker_count)) {
    std::this_thread::sleep_for(Milliseconds(1));
  }
  const auto start = Clock::now();
  for (int task = 1; task <= options.task_count; ++task) {
    const int duration_ms = task % 2 == 1 ? options.heavy_ms : options.light_ms;
    channel.basic_publish("", queue, std::to_string(duration_ms));
  }
  for (std::thread& worker : workers)
    worker.join();
  Run result;
  result.makespan_ms = 1000 * bench::seconds_since(start);
  for (const double busy : busy_ms)
    result.idle_ms.push_back(result.makespan_ms - busy);
  return result;
}

int bench_main(int argc, char** argv) {
  Options options;
  CLI::App app("Uneven tasks under round robin and under fair dispatch.");
  app.add_option("--tasks", options.task_count, "Tasks a run")->capture_default_str();
  app.add_option("--heavy", options.heavy_ms, "Milliseconds of an odd task")->capture_default_str();
  app.add_option("--light", options.light_ms, "Milliseconds of an even task")
      ->capture_default_str();
  app.add_option("--workers", options.worker_counts, "Worker counts")->capture_default_str();
  app.add_option("--json", options.json, "Write the results to this file");
  CLI11_PARSE(app, argc, argv);

  const int work_ms =
      (options.task_count + 1) / 2 * options.heavy_ms + options.task_count / 2 * options.light_ms;
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  std::printf("%-12s %8s %12s %10s %14s\n", "policy", "workers", "makespan ms", "ideal ms",
              "idle/worker ms");
  for (const int worker_count : options.worker_counts) {
    for (const bool fair : {false, true}) {
      const Run result = run(options, worker_count, fair ? 1 : 0);
      const double ideal_ms = static_cast<double>(work_ms) / worker_count;
      double idle_ms = 0;
      for (const double idle : result.idle_ms)
        idle_ms += idle / worker_count;
      const char* policy = fair ? "fair" : "round_robin";
      std::printf("%-12s %8d %12.0f %10.0f %14.0f\n", policy, worker_count, result.makespan_ms,
                  ideal_ms, idle_ms);
      runs.push_back({{"policy", policy},
                      {"workers", worker_count},
                      {"makespan_ms", result.makespan_ms},
                      {"ideal_ms", ideal_ms},
                      {"idle_ms", result.idle_ms}});
    }
  }
  bench::write_json(options.json, {{"tasks", options.task_count},
                                   {"heavy_ms", options.heavy_ms},
                                   {"light_ms", options.light_ms},
                                   {"runs", runs}});
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
