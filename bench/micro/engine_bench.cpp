// Benchmarks of the engine alone, without wire and disk.
#include <string>

#include <benchmark/benchmark.h>

#include "micro/counted.hpp"
#include "micro/vhost.hpp"

namespace {

using namespace haypile;

using bench::Sink;
using bench::Vhost;

const std::string body(100, 'x');

void publish_deliver_ack(benchmark::State& state) {
  Vhost vhost;
  vhost.declare("q");
  Sink sink;
  engine::Subscriptions channel(vhost.engine, sink, 1);
  static_cast<void>(channel.consume("q", {.tag = "c"}));
  channel.start_consumer("c");
  const bench::CountAllocations count(state);
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(vhost.publish("", "q", body));
    benchmark::DoNotOptimize(channel.settle(sink.last_tag, false, engine::Settlement::ack));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(publish_deliver_ack);

// A queue with a backlog: messages go in at one end and out at the other.
void through_a_backlog(benchmark::State& state) {
  Vhost vhost;
  vhost.declare("q");
  Sink sink;
  engine::Subscriptions channel(vhost.engine, sink, 1);
  for (int i = 0; i < state.range(0); ++i)
    vhost.publish("", "q", body);
  const bench::CountAllocations count(state);
  for ([[maybe_unused]] auto _ : state) {
    vhost.publish("", "q", body);
    engine::GetResult got;
    static_cast<void>(channel.get("q", true, got));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(through_a_backlog)->Arg(1000)->Arg(100'000);

void fanout(benchmark::State& state) {
  Vhost vhost;
  Sink sink;
  engine::Subscriptions channel(vhost.engine, sink, 1);
  for (int i = 0; i < state.range(0); ++i) {
    const std::string name = "q" + std::to_string(i);
    vhost.declare(name);
    vhost.bind("amq.fanout", name, "");
    static_cast<void>(channel.consume(name, {.tag = name, .no_ack = true}));
    channel.start_consumer(name);
  }
  const bench::CountAllocations count(state, static_cast<std::uint64_t>(state.range(0)));
  for ([[maybe_unused]] auto _ : state)
    vhost.publish("amq.fanout", "", body);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(fanout)->Arg(1)->Arg(10);

void topic(benchmark::State& state) {
  Vhost vhost;
  Sink sink;
  engine::Subscriptions channel(vhost.engine, sink, 1);
  vhost.declare("q");
  static_cast<void>(channel.consume("q", {.tag = "c", .no_ack = true}));
  channel.start_consumer("c");
  for (int i = 0; i < state.range(0); ++i) {
    vhost.bind("amq.topic", "q", "*.region" + std::to_string(i) + ".#");
  }
  const bench::CountAllocations count(state);
  for ([[maybe_unused]] auto _ : state)
    vhost.publish("amq.topic", "jobs.region0.images.resize", body);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(topic)->Arg(1)->Arg(100);

}  // namespace

BENCHMARK_MAIN();
