// The write-ahead log: what an append costs, and how fast the disk is.
#include <atomic>
#include <string>

#include <benchmark/benchmark.h>

#include "common/support.hpp"
#include "log/data_directory.hpp"
#include "log/log.hpp"
#include "micro/counted.hpp"

namespace {

using namespace haypile;

class Nobody final : public engine::Recovery {
 public:
  void exchange(const engine::ExchangeDefinition&) override {}
  void queue(const engine::QueueDefinition&, engine::TimeMs) override {}
  void binding(const engine::BindingDefinition&) override {}
  void backlog(engine::QueueId, std::uint8_t, engine::Backlog&) override {}
  void message(engine::LogPosition, const engine::MessageView&,
               std::span<const engine::RecoveredRef>) override {}
};

// Publishes, makes durable and acknowledges messages of `state.range(0)` bytes, `state.range(1)` at
// a time: each is one group commit.
void publish_sync_ack(benchmark::State& state) {
  const bench::ScratchDirectory scratch;
  log::DataDirectory directory(scratch.path());
  log::Log log(directory.files(), directory.vhost_directory("/"), directory.id(),
               {.threaded = false});
  Nobody nobody;
  log.recover(nobody);
  const std::string body(static_cast<std::size_t>(state.range(0)), 'x');
  const engine::MessageView message{
      .exchange = "", .routing_key = "q", .properties = "\x10", .body = body};
  const engine::QueueId queue = 1;
  std::vector<engine::LogPosition> positions;
  const bench::CountAllocations count(state, static_cast<std::uint64_t>(state.range(1)));
  for ([[maybe_unused]] auto _ : state) {
    for (const engine::LogPosition position : positions)
      log.ack({queue, position});
    positions.clear();
    for (int i = 0; i < state.range(1); ++i)
      positions.push_back(log.publish(message, {&queue, 1}));
    log.flush();
    log.step();
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(publish_sync_ack)
    ->Args({100, 1})
    ->Args({100, 100})
    ->Args({100, 1000})
    ->Args({1000, 1000})
    ->Args({10'000, 100})
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
