// A long backlog: how fast it is filled and drained, how soon a killed broker is ready again, how
// much memory the daemon needs, and how much disk space the messages that nobody takes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <haypile/client.hpp>

#include "common/daemon.hpp"
#include "common/support.hpp"

namespace {

using namespace haypile;
using bench::Clock;

struct Options {
  std::string daemon;
  std::vector<std::string> arguments;
  std::string json;
  std::uint64_t message_count = 1'000'000;
  std::size_t size_bytes = 100;
  std::size_t window = 10000;
  std::uint16_t prefetch_count = 1000;
  int kill_count = 3;
  std::uint64_t kept_every = 0;  // one message in this many stays, because nobody takes it; 0: none

  bool is_kept(std::uint64_t number) const { return kept_every != 0 && number % kept_every == 0; }
};

const std::string queue = "haypile-backlog";
const std::string kept_queue = "haypile-kept";
const std::string passing_queue = "haypile-passing";

// Each body begins with its number.
std::string body(std::uint64_t number, std::size_t size_bytes) {
  std::string text = std::to_string(number) + ' ';
  text.resize(std::max(size_bytes, text.size()), 'x');
  return text;
}

// Returns messages per second.
double fill(const std::string& uri, const Options& options) {
  Connection connection(uri);
  Channel channel = connection.channel();
  for (const std::string& name : {queue, kept_queue})
    channel.queue_declare(name, {.durable = true});
  channel.confirm_select();
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < options.message_count; ++i) {
    channel.basic_publish("", options.is_kept(i) ? kept_queue : queue, body(i, options.size_bytes),
                          {.delivery_mode = persistent});
    if (channel.unconfirmed_count() >= options.window) {
      channel.wait_for_confirms(options.window / 2);
    }
  }
  channel.wait_for_confirms();
  return static_cast<double>(options.message_count) / bench::seconds_since(start);
}

// Checks that each message comes once and in order. Returns messages per second.
double drain(const std::string& uri, const Options& options) {
  Connection connection(uri);
  Channel channel = connection.channel();
  channel.basic_qos(options.prefetch_count);
  std::uint64_t number = options.is_kept(0) ? 1 : 0;
  std::uint64_t count = 0;
  const auto start = Clock::now();
  channel.basic_consume(queue, [&](const Message& message) {
    if (std::strtoull(std::string(message.body().substr(0, 20)).c_str(), nullptr, 10) != number) {
      throw Error("message " + std::to_string(number) + " is not where it should be");
    }
    channel.basic_ack(message.delivery_tag);
    ++count;
    if (options.is_kept(++number)) ++number;
    if (number >= options.message_count) channel.stop_consuming();
  });
  channel.start_consuming();
  return static_cast<double>(count) / bench::seconds_since(start);
}

// Publishes and consumes so much that the log's ring is used several times.
void pass_by(const std::string& uri) {
  Connection connection(uri);
  Channel channel = connection.channel();
  channel.queue_declare(passing_queue, {.durable = true});
  channel.confirm_select();
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 100; ++i)
      channel.basic_publish("", passing_queue, std::string(100'000, 'x'),
                            {.delivery_mode = persistent});
    channel.wait_for_confirms();
    channel.queue_purge(passing_queue);
  }
  channel.queue_delete(passing_queue);
}

// The daemon may remove a pile while the sizes are read.
std::uint64_t pile_bytes(const std::filesystem::path& directory) {
  std::uint64_t total = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    std::error_code is_gone;
    const std::uint64_t size = entry.path().extension() == ".pile" ? entry.file_size(is_gone) : 0;
    if (!is_gone) total += size;
  }
  return total;
}

int bench_main(int argc, char** argv) {
  Options options;
  options.daemon = (std::filesystem::path(argv[0]).parent_path() / "haypiled").string();
  CLI::App app("A long backlog: fill, kill and recover, drain.");
  app.add_option("--daemon", options.daemon, "The program")->capture_default_str();
  app.add_option("--with", options.arguments, "Arguments for it, e.g. --with=--log-size=1GiB");
  app.add_option("--messages", options.message_count, "How many")->capture_default_str();
  app.add_option("--size", options.size_bytes, "Bytes a message")->capture_default_str();
  app.add_option("--window", options.window, "Unconfirmed messages at most")->capture_default_str();
  app.add_option("--prefetch", options.prefetch_count, "Of the consumer")->capture_default_str();
  app.add_option("--kills", options.kill_count, "kill -9 and recovery, so often")
      ->capture_default_str();
  app.add_option("--keep-every", options.kept_every,
                 "One of so many messages stays; what space it keeps is looked at")
      ->capture_default_str();
  app.add_option("--json", options.json, "Write the results to this file");
  CLI11_PARSE(app, argc, argv);
  const bench::ScratchDirectory directory;
  nlohmann::ordered_json json{{"messages", options.message_count},
                              {"size_bytes", options.size_bytes}};
  const auto report = [&](const char* name, double value) {
    std::cout << name << ": " << static_cast<std::uint64_t>(value) << std::endl;
    json[name] = value;
  };
  auto daemon =
      std::make_unique<bench::Daemon>(options.daemon, directory.path(), options.arguments);
  report("idle_resident_kib", static_cast<double>(daemon->memory_kib("VmRSS")));
  report("fill_messages_per_second", fill(daemon->uri(), options));
  report("fill_resident_kib_max", static_cast<double>(daemon->memory_kib("VmHWM")));
  double recovery_ms_max = 0;
  for (int i = 0; i < options.kill_count; ++i) {
    daemon->kill();
    const auto start = Clock::now();
    daemon = std::make_unique<bench::Daemon>(options.daemon, directory.path(), options.arguments);
    recovery_ms_max = std::max(recovery_ms_max, 1000 * bench::seconds_since(start));
  }
  if (options.kill_count > 0) report("recovery_ms_max", recovery_ms_max);
  report("drain_messages_per_second", drain(daemon->uri(), options));
  report("drain_resident_kib_max", static_cast<double>(daemon->memory_kib("VmHWM")));
  if (options.kept_every != 0) {
    const std::uint64_t kept = (options.message_count - 1) / options.kept_every + 1;
    report("kept_body_bytes", static_cast<double>(kept * options.size_bytes));
    report("pile_bytes_when_drained", static_cast<double>(pile_bytes(directory.path())));
    pass_by(daemon->uri());
    report("pile_bytes_later", static_cast<double>(pile_bytes(directory.path())));
    report("resident_kib_later", static_cast<double>(daemon->memory_kib("VmRSS")));
  }
  bench::write_json(options.json, json);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench_main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "backlog_bench: " << error.what() << '\n';
    return 1;
  }
}
