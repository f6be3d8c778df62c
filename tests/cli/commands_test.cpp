#include "cli/commands.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

#include <doctest/doctest.h>

using namespace haypile::cli;
using namespace std::chrono_literals;
using Clock = Commands::Clock;
using Ended = std::vector<Commands::Ended>;

namespace {

// Waits for what another process does; the time that the commands see does not move by itself.
template <class Condition>
void eventually(Condition condition) {
  const auto give_up = Clock::now() + 60s;
  while (!condition()) {
    REQUIRE(Clock::now() < give_up);
    std::this_thread::sleep_for(1ms);
  }
}

Ended collect_one(Commands& commands, Clock::time_point now) {
  Ended ended;
  eventually([&] { return !(ended = commands.collect(now)).empty(); });
  return ended;
}

// A file that a command makes to say that it has come so far.
struct Mark {
  std::string path =
      (std::filesystem::temp_directory_path() / ("haypile-mark-" + std::to_string(::getpid())))
          .string();
  Mark() { std::filesystem::remove(path); }
  ~Mark() { std::filesystem::remove(path); }
  void wait() const {
    eventually([this] { return std::filesystem::exists(path); });
  }
};

}  // namespace

TEST_CASE("a command gets its input and variables, and its end is told") {
  const std::vector<std::string> command{"sh", "-c", "test \"$(cat)$X\" = inputx || exit 7"};
  Commands commands(command, 0ms, 5s);
  const auto now = Clock::now();
  commands.start(1, "input", {"X=x"}, now);
  const Ended good = collect_one(commands, now);
  CHECK(good.front().delivery_tag == 1);
  CHECK(good.front().failure.empty());
  commands.start(2, "other", {"X=x"}, now);
  CHECK(collect_one(commands, now).front().failure == "exit code 7");
  CHECK(commands.count() == 0);
}

TEST_CASE("a command that cannot be run is an error") {
  const std::vector<std::string> command{"no-such-command"};
  Commands commands(command, 0ms, 5s);
  CHECK_THROWS_WITH(commands.start(1, "", {}, Clock::now()),
                    doctest::Contains("cannot run 'no-such-command'"));
  CHECK(commands.count() == 0);
}

TEST_CASE("a command that runs too long is ended") {
  const std::vector<std::string> command{"sleep", "1000"};
  Commands commands(command, 1500ms, 5s);
  const auto now = Clock::now();
  commands.start(1, "", {}, now);
  CHECK(commands.wake_at(now) == now + 1500ms);
  CHECK(commands.collect(now + 1499ms).empty());
  CHECK(collect_one(commands, now + 1500ms).front().failure == "not done after 1.5 s");
}

TEST_CASE(
    "who ignores SIGTERM is killed, with what it has started, and only then counts as ended") {
  const Mark mark;
  const std::vector<std::string> command{
      "sh", "-c", "trap '' TERM; (trap '' TERM; : >" + mark.path + "; sleep 1000) & wait"};
  Commands commands(command, 0ms, 5s);
  const auto now = Clock::now();
  commands.start(1, "", {}, now);
  mark.wait();
  commands.end_all(now);
  CHECK(commands.collect(now + 4999ms).empty());
  CHECK(commands.wake_at(now) == now + 5s);
  CHECK(collect_one(commands, now + 5s).front().failure == "signal 9");
}

TEST_CASE("a command has not ended while what it has started is still to be ended") {
  const Mark mark;
  const std::vector<std::string> command{"sh", "-c",
                                         "(trap '' TERM; : >" + mark.path + "; sleep 1000) & wait"};
  Commands commands(command, 0ms, 5s);
  const auto now = Clock::now();
  commands.start(1, "", {}, now);
  mark.wait();
  commands.end_all(now);
  // The shell ends; its child does not.
  eventually([&] {
    CHECK(commands.collect(now).empty());
    return commands.wake_at(now) == now + 50ms;
  });
  CHECK(collect_one(commands, now + 5s).front().failure == "signal 15");
}

TEST_CASE("exit code 0 after SIGTERM does not mean that the work was done") {
  const Mark mark;
  const std::vector<std::string> command{
      "sh", "-c", "trap 'exit 0' TERM; : >" + mark.path + "; while :; do :; done"};
  Commands commands(command, 0ms, 5s);
  const auto now = Clock::now();
  commands.start(1, "", {}, now);
  mark.wait();
  commands.end_all(now);
  CHECK(collect_one(commands, now).front().failure == "broken off");
}
