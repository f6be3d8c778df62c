// End to end over TCP: one publisher with confirms, one consumer that acknowledges each message.
// The broker is in this process, with its log on disk, or any other broker (--uri).
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include <haypile/broker.hpp>
#include <haypile/client.hpp>

#include "common/support.hpp"

namespace {

using namespace haypile;
using bench::Clock;

struct Options {
  std::string uri;
  std::string json;
  std::uint64_t message_count = 1'000'000;
  std::size_t size_bytes = 100;
  std::size_t window = 1000;
  std::uint16_t prefetch_count = 1000;
  int round_count = 5;
};

const std::string queue = "haypile-throughput";

void publish(const Options& options) {
  Connection connection(options.uri);
  Channel channel = connection.channel();
  channel.confirm_select();
  const std::string body(options.size_bytes, 'x');
  for (std::uint64_t i = 0; i < options.message_count; ++i) {
    channel.basic_publish("", queue, body, {.delivery_mode = persistent});
    // Waits for half a window at a time, while the other half is on its way.
    if (channel.unconfirmed_count() >= options.window) {
      channel.wait_for_confirms(options.window / 2);
    }
  }
  channel.wait_for_confirms();
}

void consume(const Options& options, std::atomic<bool>& ready) {
  Connection connection(options.uri);
  Channel channel = connection.channel();
  channel.basic_qos(options.prefetch_count);
  std::uint64_t count = 0;
  channel.basic_consume(queue, [&](const Message& message) {
    if (message.body().size() != options.size_bytes) throw Error("a body has changed its size");
    channel.basic_ack(message.delivery_tag);
    if (++count == options.message_count) channel.stop_consuming();
  });
  ready = true;
  channel.start_consuming();
}

// Returns messages per second, from the first publish to the last acknowledgement.
double run(const Options& options) {
  std::atomic<bool> ready{false};
  std::thread consumer([&] { consume(options, ready); });
  while (!ready)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto start = Clock::now();
  publish(options);
  consumer.join();
  return static_cast<double>(options.message_count) / bench::seconds_since(start);
}

void run_rounds(const Options& options) {
  {
    Connection connection(options.uri);
    Channel channel = connection.channel();
    channel.queue_declare(queue, {.durable = true});
    channel.queue_purge(queue);
  }
  std::vector<double> rates;
  for (int round = 0; round < options.round_count; ++round) {
    rates.push_back(run(options));
    std::cout << "round " << round + 1 << ": " << static_cast<std::uint64_t>(rates.back())
              << " messages/s" << std::endl;
  }
  Connection connection(options.uri);
  const std::uint32_t left = connection.channel().queue_delete(queue);
  if (left != 0) throw Error(std::to_string(left) + " messages were left in the queue");
  std::ranges::sort(rates);
  const double median = rates[rates.size() / 2];
  std::cout << "median: " << static_cast<std::uint64_t>(median) << " messages/s\n";
  bench::write_json(options.json, {{"messages", options.message_count},
                                   {"size_bytes", options.size_bytes},
                                   {"confirm_window", options.window},
                                   {"prefetch_count", options.prefetch_count},
                                   {"messages_per_second", rates},
                                   {"median", median}});
}

int bench_main(int argc, char** argv) {
  Options options;
  CLI::App app("Persistent, confirmed, singly acknowledged messages a second.");
  app.add_option("--uri", options.uri, "A broker that runs already (default: one in this process)");
  app.add_option("--messages", options.message_count, "Messages a round")->capture_default_str();
  app.add_option("--size", options.size_bytes, "Bytes a message")->capture_default_str();
  app.add_option("--window", options.window, "Unconfirmed messages at most")->capture_default_str();
  app.add_option("--prefetch", options.prefetch_count, "Of the consumer")->capture_default_str();
  app.add_option("--rounds", options.round_count, "Rounds; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--json", options.json, "Write the results to this file");
  CLI11_PARSE(app, argc, argv);
  const bench::ScratchDirectory directory;
  std::optional<Broker> broker;
  if (options.uri.empty()) {
    broker.emplace(BrokerOptions{.data_directory = directory.path()});
    options.uri = "amqp://127.0.0.1:" + std::to_string(broker->listen("127.0.0.1", 0));
  }
  run_rounds(options);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench_main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "throughput_bench: " << error.what() << '\n';
    return 1;
  }
}
