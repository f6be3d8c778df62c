// haypile-perf: puts a load on an AMQP 0-9-1 broker and measures it.
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "tools/load/load.hpp"

namespace {

using haypile::bench::load::Options;

int perf_main(int argc, char** argv) {
  Options options;
  std::string json_file;
  bool is_transient = false;
  CLI::App app("Puts a load on a broker that speaks AMQP 0-9-1, and measures.");
  app.option_defaults()->always_capture_default();
  app.add_option("--host", options.address.host, "Of the broker");
  app.add_option("--port", options.address.port, "Of the broker");
  app.add_option("--user", options.address.user, "To log in");
  app.add_option("--password", options.address.password, "To log in");
  app.add_option("--publishers", options.publisher_count, "Connections that publish");
  app.add_option("--consumers", options.consumer_count, "Connections that consume");
  app.add_option("--name", options.name, "What the names of queues and exchange begin with");
  app.add_option("--queues", options.queue_count, "They are dealt to these in turn")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--queue-type", options.queue_type, "x-queue-type, e.g. quorum");
  app.add_option("--bindings", options.binding_count,
                 "Of the topic exchange that messages go through; 0: the default exchange");
  app.add_option("--size", options.size_bytes, "Bytes of a body");
  app.add_flag("--transient", is_transient, "Not persistent");
  app.add_option("--confirm-window", options.confirm_window,
                 "Unconfirmed messages of a publisher at most; 0: no confirms");
  app.add_option("--prefetch", options.prefetch_count, "Of a consumer; 0: no limit");
  app.add_option("--ack-every", options.ack_every,
                 "One acknowledgement for so many messages; 0: automatic ones");
  app.add_option("--rate", options.rate, "Messages a second of all publishers; 0: what goes");
  app.add_option("--on-the-way", options.on_the_way_max,
                 "Without confirms: messages published and not consumed at most");
  app.add_option("--warm-up", options.warm_up_seconds, "Seconds that are not measured");
  app.add_option("--seconds", options.seconds, "Seconds that are")->check(CLI::Range(0.1, 3600.0));
  app.add_option("--fill", options.fill_count,
                 "Instead: publish so many, then consume them; 0: do not");
  app.add_option("--broker-pid", options.broker_pid, "Process whose CPU and memory to report");
  app.add_option("--json", json_file, "Write the results to this file, too");
  CLI11_PARSE(app, argc, argv);
  options.persistent = !is_transient;
  const auto report = haypile::bench::load::run(options);
  std::cout << report.dump(2) << '\n';
  if (!json_file.empty()) std::ofstream(json_file) << report.dump(2) << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return perf_main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "haypile-perf: " << error.what() << '\n';
    return 1;
  }
}
