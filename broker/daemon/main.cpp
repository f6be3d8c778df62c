// haypiled: the broker as a daemon.
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <haypile/broker.hpp>

#include "daemon/check_command.hpp"
#include "daemon/console.hpp"
#include "daemon/options.hpp"
#include "daemon/salvage_command.hpp"
#include "daemon/shown.hpp"

namespace {

// If a descriptor below 3 is not open, a file of the data directory could get its number, and
// messages for the user would be written into that file.
void open_standard_descriptors() {
  int descriptor = 0;
  while (descriptor >= 0 && descriptor <= STDERR_FILENO)
    descriptor = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (descriptor > STDERR_FILENO) ::close(descriptor);
}

// Takes as many descriptors as the process may have: the default of a shell is for programs that
// need few.
void raise_descriptor_limit() {
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Keeps freed memory for reuse. The C library would return large blocks to the system each time,
// and getting clean pages again costs more than filling them. server/memory_return.hpp returns what
// is too much.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

// A failed write is an error like others, reported where it happens: on a pipe without a reader, a
// file beyond the limit of `ulimit -f`, or a terminal that belongs to another program now.
void ignore_write_signals() {
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGTTOU})
    std::signal(signal, SIG_IGN);
}

// Signals are waited for, not handled, so they have to be blocked before any thread starts.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// After this signal others change nothing: a stop takes a few seconds at most.
void wait_for_stop(const sigset_t& signals, haypile::Console& console) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0 || signal == SIGHUP)
    console.log(haypile::Severity::info, "SIGHUP: nothing is read again");
}

void announce(const haypile::Listening& listening, const haypile::DaemonOptions& options,
              haypile::Console& console) {
  std::string where;
  for (const std::string& endpoint : listening.endpoints)
    where += (where.empty() ? "" : " and ") + endpoint;
  console.announce("haypiled ready on " + where + ", data in " +
                   haypile::shown(options.data_directory.string()));
}

int run(const haypile::DaemonOptions& options, haypile::Console& console) {
  const sigset_t signals = block_signals();
  // A mistake in where to listen is found before a data directory is made or read.
  haypile::Broker::check_listen(options.bind, options.port);
  haypile::Broker broker({
      .data_directory = options.data_directory,
      .product = options.product,
      .message_size_max_bytes = options.message_size_max_bytes,
      .memory_limit_bytes = options.memory_limit_bytes,
      .disk_free_limit_bytes = options.disk_free_limit_bytes,
      .log_size_bytes = options.log_size_bytes,
      .queue_memory_bytes = options.queue_memory_bytes,
      .login_max = options.login_max,
      .login_max_per_address = options.login_max_per_address,
      .report = [&](haypile::Severity severity,
                    std::string_view line) { console.log(severity, line); },
      // A broker that cannot write must not continue as if it could.
      .on_failure =
          [&](std::string_view line) {
            console.complain(haypile::shown(line));
            console.flush();
            std::_Exit(EXIT_FAILURE);
          },
  });
  announce(broker.listen(options.bind, options.port), options, console);
  wait_for_stop(signals, console);
  console.log(haypile::Severity::info, "stopping");
  if (!broker.stop()) return EXIT_FAILURE;
  console.log(haypile::Severity::info, "stopped");
  return EXIT_SUCCESS;
}

int run(const haypile::DaemonOptions& options) {
  raise_descriptor_limit();
  keep_freed_memory();
  haypile::Console console(options.log_level);
  try {
    return run(options, console);
  } catch (const std::exception& error) {
    console.complain(haypile::shown(error.what()));
    return EXIT_FAILURE;
  }
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  ignore_write_signals();
  try {
    const haypile::DaemonOptions options = haypile::parse_options(argc, argv);
    if (!options.check.empty()) return haypile::check(options.check, options.json);
    if (!options.salvage.empty()) return haypile::salvage(options.salvage, options.yes);
    return run(options);
  } catch (const haypile::Exit& exit) {
    return exit.code;
  } catch (const std::exception& error) {
    std::cerr << "haypiled: " << haypile::shown(error.what()) << '\n';
    return EXIT_FAILURE;
  }
}
