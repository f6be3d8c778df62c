// other_brokers_perf: puts the load of haypile-perf on work queues with other protocols, and
// measures it.
#include <cstddef>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "tools/other_brokers/load.hpp"

namespace {

using haypile::bench::other_brokers::Options;

int perf_main(int argc, char** argv) {
  Options options;
  std::string protocol;
  std::string json_file;
  CLI::App app("Puts a load on beanstalkd or Redis, and measures.");
  app.option_defaults()->always_capture_default();
  app.add_option("protocol", protocol, "Of the server")
      ->required()
      ->check(CLI::IsMember({"beanstalkd", "redis"}));
  app.add_option("--port", options.port, "Of the server, on 127.0.0.1")->required();
  app.add_option("--publishers", options.publisher_count, "Connections that put jobs");
  app.add_option("--consumers", options.consumer_count, "Connections that take them");
  app.add_option("--size", options.size_bytes, "Bytes of a body");
  app.add_option("--window", options.window, "Unconfirmed jobs of a publisher at most")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--prefetch", options.prefetch_count, "Unacknowledged jobs of a consumer at most")
      ->check(CLI::Range(1, 65'535));
  app.add_option("--warm-up", options.warm_up_seconds, "Seconds that are not measured");
  app.add_option("--seconds", options.seconds, "Seconds that are")->check(CLI::Range(0.1, 3600.0));
  app.add_option("--broker-pid", options.broker_pid, "Process whose CPU and memory to report");
  app.add_option("--json", json_file, "Write the results to this file, too");
  CLI11_PARSE(app, argc, argv);
  using namespace haypile::bench::other_brokers;
  const auto report = run(*(protocol == "redis" ? redis() : beanstalkd()), options);
  std::cout << report.dump(2) << '\n';
  if (!json_file.empty()) std::ofstream(json_file) << report.dump(2) << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return perf_main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "other_brokers_perf: " << error.what() << '\n';
    return 1;
  }
}
