// haypiled: the broker as a daemon.
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <haypile/broker.hpp>

#include "check_command.hpp"
#include "options.hpp"
#include "salvage_command.hpp"

namespace {

void set_up_log(const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("haypiled"));
  spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  spdlog::set_level(spdlog::level::from_str(level));
}

spdlog::level::level_enum level(haypile::Severity severity) {
  switch (severity) {
    case haypile::Severity::debug:
      return spdlog::level::debug;
    case haypile::Severity::info:
      return spdlog::level::info;
    case haypile::Severity::warning:
      return spdlog::level::warn;
    case haypile::Severity::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// A broker that cannot write must not go on as if it could.
void die(std::string_view line) {
  std::cerr << "haypiled: " << line << '\n';
  std::_Exit(1);
}

// Signals are waited for, not handled: they have to be blocked before any thread starts.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int run(const haypile::DaemonOptions& options) {
  set_up_log(options.log_level);
  const sigset_t signals = block_signals();
  haypile::Broker broker({
      .data_directory = options.data_directory,
      .product = options.product,
      .memory_limit_bytes = options.memory_limit_bytes,
      .disk_free_limit_bytes = options.disk_free_limit_bytes,
      .log_size_bytes = options.log_size_bytes,
      .queue_memory_bytes = options.queue_memory_bytes,
      .report = [](haypile::Severity severity,
                   std::string_view line) { spdlog::log(level(severity), "{}", line); },
      .on_failure = die,
  });
  const std::uint16_t port = broker.listen(options.bind, options.port);
  const bool is_ipv6 = options.bind.find(':') != std::string::npos;
  std::cout << "haypiled ready on " << (is_ipv6 ? "[" + options.bind + "]" : options.bind) << ':'
            << port << ", data in " << options.data_directory.string() << std::endl;
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("stopping");
  broker.stop();
  spdlog::info("stopped");
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const haypile::DaemonOptions options = haypile::parse_options(argc, argv);
    if (!options.check.empty()) return haypile::check(options.check, options.json);
    if (!options.salvage.empty()) return haypile::salvage(options.salvage, options.yes);
    return run(options);
  } catch (const haypile::Exit& exit) {
    return exit.code;
  } catch (const std::exception& error) {
    std::cerr << "haypiled: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
