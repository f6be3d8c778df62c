// A standard of comparison for haypiled: parses, syncs, confirms and delivers like a broker, but
// keeps nothing: no messages in queues, no credit, no recovery. Its speed is the most that this
// machine could reach.
#include <csignal>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>

#include <sys/signalfd.h>
#include <unistd.h>

#include "tools/baseline/loop.hpp"
#include "tools/baseline/syncer.hpp"

namespace {

using namespace haypile::bench::baseline;

struct Options {
  std::uint16_t port = 0;
  std::string data_directory;
  bool no_log = false;
  unsigned seconds = 3600;
  std::string log_level;
};

// Call this before any thread is created, so that no thread takes a signal.
int block_signals() {
  ::sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGALRM})
    ::sigaddset(&signals, signal);
  if (::pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) throw std::runtime_error("no mask");
  const int descriptor = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor < 0) throw std::runtime_error("no signalfd");
  return descriptor;
}

int bare_main(int argc, char** argv) {
  Options options;
  CLI::App app("A loop that does a broker's work without its books, as a yardstick.");
  app.add_option("--port", options.port, "On 127.0.0.1; 0: any")->capture_default_str();
  auto* directory = app.add_option("--data-dir", options.data_directory, "Where its log goes");
  app.add_flag("--no-log", options.no_log, "Write nothing; confirm at the end of a turn");
  app.add_option("--seconds", options.seconds, "Stop after so long")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "Ignored; haypiled has it");
  CLI11_PARSE(app, argc, argv);
  if (!options.no_log && directory->empty()) throw std::runtime_error("--data-dir is required");

  const int signals = block_signals();
  std::optional<Syncer> syncer;
  if (!options.no_log) syncer.emplace(options.data_directory);
  Loop loop(options.port, syncer ? &*syncer : nullptr, signals);
  ::alarm(options.seconds);
  std::cout << "haypiled ready on 127.0.0.1:" << loop.port() << ", data in "
            << options.data_directory << std::endl;
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bare_main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "baseline_loop: " << error.what() << '\n';
    return 1;
  }
}
