// The engine alone: no wire, no disk.
#include <string>

#include <benchmark/benchmark.h>

#include "engine/engine.hpp"
#include "session/field_reader.hpp"

namespace {

using namespace haypile;

// Takes all it is given.
class Sink final : public engine::DeliverySink {
 public:
  bool deliver(const engine::Delivery& delivery) override {
    last_tag = delivery.delivery_tag;
    return true;
  }
  void consumer_cancelled(std::string_view) override {}
  std::uint64_t last_tag = 0;
};

struct Vhost {
  session::FieldReader reader;
  engine::NullJournal journal;
  engine::Engine engine{"/", journal, reader};

  void declare(const std::string& name) {
    engine::Queue* queue = nullptr;
    engine::QueueDefinition definition;
    definition.name = name;
    definition.durable = true;
    static_cast<void>(engine.declare_queue(definition, 0, 1, queue));
  }
  void bind(const std::string& exchange, const std::string& queue, const std::string& key) {
    engine::BindingDefinition binding;
    binding.source = exchange;
    binding.destination = queue;
    binding.routing_key = key;
    static_cast<void>(engine.bind(binding, 1));
  }
  void publish(std::string_view exchange, std::string_view key, std::string_view body) {
    benchmark::DoNotOptimize(engine.publish(
        {.message = {.exchange = exchange, .routing_key = key, .properties = "\x10", .body = body},
         .persistent = true,
         .headers = {}}));
  }
};

const std::string body(100, 'x');

void publish_deliver_ack(benchmark::State& state) {
  Vhost vhost;
  vhost.declare("q");
  Sink sink;
  engine::Channel channel(vhost.engine, sink, 1);
  static_cast<void>(channel.consume("q", {.tag = "c"}));
  channel.start_consumer("c");
  for (auto _ : state) {
    vhost.publish("", "q", body);
    benchmark::DoNotOptimize(channel.settle(sink.last_tag, false, engine::Settlement::ack));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(publish_deliver_ack);

// A queue with a backlog: in at one end, out at the other.
void through_a_backlog(benchmark::State& state) {
  Vhost vhost;
  vhost.declare("q");
  Sink sink;
  engine::Channel channel(vhost.engine, sink, 1);
  for (int i = 0; i < state.range(0); ++i)
    vhost.publish("", "q", body);
  for (auto _ : state) {
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
  engine::Channel channel(vhost.engine, sink, 1);
  for (int i = 0; i < state.range(0); ++i) {
    const std::string name = "q" + std::to_string(i);
    vhost.declare(name);
    vhost.bind("amq.fanout", name, "");
    static_cast<void>(channel.consume(name, {.tag = name, .no_ack = true}));
    channel.start_consumer(name);
  }
  for (auto _ : state)
    vhost.publish("amq.fanout", "", body);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(fanout)->Arg(1)->Arg(10);

void topic(benchmark::State& state) {
  Vhost vhost;
  Sink sink;
  engine::Channel channel(vhost.engine, sink, 1);
  vhost.declare("q");
  static_cast<void>(channel.consume("q", {.tag = "c", .no_ack = true}));
  channel.start_consumer("c");
  for (int i = 0; i < state.range(0); ++i) {
    vhost.bind("amq.topic", "q", "*.region" + std::to_string(i) + ".#");
  }
  for (auto _ : state)
    vhost.publish("amq.topic", "jobs.region0.images.resize", body);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(topic)->Arg(1)->Arg(100);

}  // namespace

BENCHMARK_MAIN();
