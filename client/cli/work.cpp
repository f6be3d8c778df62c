#include "work.hpp"

#include <iostream>
#include <optional>
#include <random>
#include <thread>

#include <unistd.h>

#include "commands.hpp"
#include "hosts.hpp"
#include "signals.hpp"
#include "worker.hpp"

namespace haypile::cli {

namespace {

using std::chrono::milliseconds;

// The pauses between attempts to connect again.
constexpr Backoff reconnect_backoff{milliseconds(500), milliseconds(30'000)};
// A command that is to be ended has this time after SIGTERM.
constexpr milliseconds patience{5000};
constexpr milliseconds look_again{20};
// A connection that has lasted so long was a success: pauses begin with the shortest again.
constexpr std::chrono::seconds settled_after{60};

using Clock = std::chrono::steady_clock;

milliseconds reconnect_pause(unsigned failure_count) {
  static std::minstd_rand random{std::random_device{}()};
  return spread(reconnect_backoff.pause(failure_count),
                std::uniform_real_distribution<double>(0, 1)(random));
}

// Ends the commands whose messages the broker gives to others now, and waits until they are gone.
// Whoever asks for the end once more meanwhile does not wait.
void end_commands(Commands& commands) {
  if (commands.count() == 0) return;
  std::cerr << "haypile: the broker gives the messages to others; ending " << commands.count()
            << (commands.count() == 1 ? " command" : " commands") << std::endl;
  const int interrupt_count = Signals::interrupt_count();
  commands.end_all(Commands::Clock::now());
  while (commands.count() != 0) {
    static_cast<void>(commands.collect(Commands::Clock::now()));
    if (Signals::interrupt_count() > interrupt_count) commands.kill_all();
    std::this_thread::sleep_for(look_again);
  }
}

// How work over one connection has ended.
struct End {
  std::optional<int> exit_code;  // nothing: the connection is lost
  std::string lost;              // why
};

End run(Worker& worker, Commands& commands) {
  std::string lost;
  try {
    return {worker.run(), ""};
  } catch (const Closed& closed) {
    lost = closed.what();
  } catch (const TimedOut& timed_out) {
    lost = timed_out.what();
  }
  end_commands(commands);
  return {std::nullopt, lost};
}

void greet(const WorkOptions& options, bool is_again) {
  if (!is_again && !is_terminal(STDERR_FILENO)) return;
  std::cerr << (is_again ? "haypile: connected again; " : "") << "waiting for messages in '"
            << shown(options.common.queue) << "'"
            << (is_again ? "" : "; Ctrl+C finishes what is running") << std::endl;
}

// Connects and works. If nothing has worked so far, what goes wrong first is an error: a mistake in
// the options would never go away. Later it is like a lost connection.
End work_once(const WorkOptions& options, Hosts& hosts, Commands& commands, bool& has_worked) {
  std::optional<Connection> connection;
  std::optional<Signals> signals;
  std::optional<Worker> worker;
  try {
    connection.emplace(hosts.connect());
    signals.emplace();
    worker.emplace(options, *connection, commands);
  } catch (const Error& error) {
    if (!has_worked) throw;
    return {std::nullopt, error.what()};
  }
  greet(options, has_worked);
  has_worked = true;
  return run(*worker, commands);
}

}  // namespace

Outcome after_failure(const WorkOptions& options, std::uint64_t attempt) {
  if (attempt < options.try_count) return Outcome::again;
  if (options.on_failure == OnFailure::drop) return Outcome::drop;
  return options.try_count == 0 ? Outcome::requeue : Outcome::keep;
}

int work(const WorkOptions& options) {
  Hosts hosts(options.common.uris);
  Commands commands(options.command, options.timeout, patience);
  bool has_worked = false;
  unsigned failure_count = 0;
  while (true) {
    const auto started = Clock::now();
    const End end = work_once(options, hosts, commands, has_worked);
    if (end.exit_code) return *end.exit_code;
    if (!options.reconnect || Signals::interrupt_count() != 0) throw Error(end.lost);
    failure_count = Clock::now() - started < settled_after ? failure_count + 1 : 1;
    const milliseconds pause = reconnect_pause(failure_count);
    std::cerr << "haypile: " << shown(end.lost) << "; connecting again in " << seconds_text(pause)
              << std::endl;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace haypile::cli
