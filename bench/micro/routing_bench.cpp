// How messages are routed to queues: bindings that are made to be slow, and many of them.
#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/table.hpp>

#include <benchmark/benchmark.h>

#include "micro/vhost.hpp"

namespace {

using namespace haypile;
using engine::DestinationKind;
using engine::ExchangeType;

std::string repeated(const std::string& word, int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += (i > 0 ? "." : "") + word;
  return text;
}

struct Routing : bench::Vhost {
  Routing() { declare("q"); }
  void bind_arguments(const std::string& queue, const amqp::Table& arguments) {
    static_cast<void>(engine.bind(
        {"amq.headers", DestinationKind::queue, queue, "", std::string(arguments.bytes())}, 1));
  }
  // The queues keep what is published.
  void measure(benchmark::State& state, std::string_view exchange, std::string_view key,
               std::string_view headers = {}, std::span<const std::string_view> more_keys = {}) {
    std::size_t found = 0;
    const std::uint64_t before = engine.work().spent();
    for ([[maybe_unused]] auto _ : state) {
      const engine::PublishResult result = engine.publish(
          {.message = {.exchange = exchange, .routing_key = key, .properties = {}, .body = "m"},
           .traits = {},
           .headers = headers,
           .more_keys = more_keys});
      found += result.queue_count;
    }
    const auto per_message = [](double count) {
      return benchmark::Counter(count, benchmark::Counter::kAvgIterations);
    };
    state.counters["queues"] = per_message(static_cast<double>(found));
    state.counters["units"] = per_message(static_cast<double>(engine.work().spent() - before));
  }
};

// Binds all patterns `{*,a}^n` followed by `rest` to one queue.
void bind_all(Routing& routing, std::int64_t count, const std::string& rest,
              const std::string& before = {}) {
  if (count == 0) return routing.bind("amq.topic", "q", before + rest);
  bind_all(routing, count - 1, rest, before + "*.");
  bind_all(routing, count - 1, rest, before + "a.");
}

void wildcards(benchmark::State& state, const char* rest, const std::string& key) {
  Routing routing;
  bind_all(routing, state.range(0), rest);
  routing.measure(state, "amq.topic", key);
}
BENCHMARK_CAPTURE(wildcards, one_hash, "#.z", repeated("a", 126))->Arg(13)->Arg(16);
BENCHMARK_CAPTURE(wildcards, one_hash_many_places, "#.z",
                  repeated("a", 16) + "." + repeated("z", 100) + ".y")
    ->Arg(13)
    ->Arg(16);
BENCHMARK_CAPTURE(wildcards, three_hashes, "#.z.#.z.#.y",
                  repeated("a", 16) + "." + repeated("z", 100))
    ->Arg(13)
    ->Arg(16);

// There are `state.range(0)` bindings that have one header in common and differ in another.
void headers(benchmark::State& state, const char* mode) {
  Routing routing;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    routing.bind_arguments("q", {{"x-match", mode}, {"type", i % 10}, {"id", i}});
  const amqp::Table asked{{"type", 10}, {"id", 7}};
  routing.measure(state, "amq.headers", "", asked.bytes());
}
BENCHMARK_CAPTURE(headers, all, "all")->Arg(1000)->Arg(100'000);
BENCHMARK_CAPTURE(headers, any, "any")->Arg(1000)->Arg(100'000);

// A message has `state.range(0)` headers, and no binding asks for any of them.
void many_headers(benchmark::State& state) {
  Routing routing;
  routing.bind_arguments("q", {{"absent", 1}});
  amqp::Table table;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    table.set(std::to_string(i), i);
  routing.measure(state, "amq.headers", "", table.bytes());
}
BENCHMARK(many_headers)->Arg(16'000);

// There are `state.range(0)` exchanges, each bound to each.
void exchanges(benchmark::State& state) {
  Routing routing;
  const auto name = [](std::int64_t i) { return "e" + std::to_string(i); };
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    static_cast<void>(
        routing.engine.declare_exchange({name(i), ExchangeType::fanout, false, false, false, ""}));
  }
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    for (std::int64_t k = 0; k < state.range(0); ++k) {
      static_cast<void>(
          routing.engine.bind({name(i), DestinationKind::exchange, name(k), "", ""}, 1));
    }
  }
  routing.measure(state, name(0), "");
}
BENCHMARK(exchanges)->Arg(300);

void carbon_copies(benchmark::State& state, const char* exchange) {
  Routing routing;
  std::vector<std::string> keys;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const std::string key = "key." + std::to_string(i);
    routing.bind(exchange, "q", key);
    keys.push_back(key);
  }
  const std::vector<std::string_view> more_keys(keys.begin(), keys.end());
  routing.measure(state, exchange, "", {}, more_keys);
}
BENCHMARK_CAPTURE(carbon_copies, direct, "amq.direct")->Arg(3500);
BENCHMARK_CAPTURE(carbon_copies, topic, "amq.topic")->Arg(3500);

// The message goes to `state.range(0)` queues, which keep it, so there are few iterations.
void fanout(benchmark::State& state) {
  Routing routing;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    routing.declare("q" + std::to_string(i));
    routing.bind("amq.fanout", "q" + std::to_string(i), "");
  }
  routing.measure(state, "amq.fanout", "");
}
BENCHMARK(fanout)->Arg(10'000)->Iterations(200);

// A queue with `state.range(0)` bindings is deleted.
void delete_queue(benchmark::State& state, const char* exchange) {
  for ([[maybe_unused]] auto _ : state) {
    Routing routing;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      const std::string number = std::to_string(i);
      const amqp::Table arguments{{"n", i}};
      static_cast<void>(routing.engine.bind({exchange, DestinationKind::queue, "q",
                                             "k" + number + ".*.b", std::string(arguments.bytes())},
                                            1));
    }
    const std::clock_t start = std::clock();
    routing.remove("q");
    state.SetIterationTime(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(delete_queue, fanout, "amq.fanout")->Arg(200'000)->Iterations(2)->UseManualTime();
BENCHMARK_CAPTURE(delete_queue, direct, "amq.direct")->Arg(200'000)->Iterations(2)->UseManualTime();
BENCHMARK_CAPTURE(delete_queue, topic, "amq.topic")->Arg(200'000)->Iterations(2)->UseManualTime();
BENCHMARK_CAPTURE(delete_queue, headers, "amq.headers")
    ->Arg(200'000)
    ->Iterations(2)
    ->UseManualTime();

}  // namespace

BENCHMARK_MAIN();
