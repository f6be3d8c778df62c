// The whole broker without sockets and disk: sessions, engine and log. Measures what a message
// costs the core in each step, and what it costs if another virtual host runs on a thread of its
// own at the same time.
#include <array>
#include <chrono>

#include <benchmark/benchmark.h>

#include "common/support.hpp"
#include "micro/counted.hpp"
#include "micro/in_process/run.hpp"

namespace {

using namespace haypile;
using bench::Clock;

void whole_way(benchmark::State& state, const bench::Work& work) {
  bench::Run run(work);
  const bench::CountAllocations count(state, bench::chunk_size);
  for ([[maybe_unused]] auto _ : state)
    run.step();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(bench::chunk_size));
}

// Nanoseconds for each message.
void steps(benchmark::State& state) {
  using Step = void (bench::Run::*)();
  constexpr std::array<std::pair<const char*, Step>, 5> all = {{
      {"publish", &bench::Run::publish},
      {"deliver", &bench::Run::deliver},
      {"log", &bench::Run::write_log},
      {"confirm", &bench::Run::confirm},
      {"ack", &bench::Run::acknowledge},
  }};
  bench::Run run(bench::works[0]);
  std::array<Clock::duration, all.size()> spent{};
  for ([[maybe_unused]] auto _ : state) {
    Clock::time_point last = Clock::now();
    for (std::size_t i = 0; i < all.size(); ++i) {
      (run.*all[i].second)();
      const Clock::time_point now = Clock::now();
      spent[i] += now - last;
      last = now;
    }
  }
  const auto messages = static_cast<double>(state.iterations()) * bench::chunk_size;
  for (std::size_t i = 0; i < all.size(); ++i)
    state.counters[all[i].first] =
        std::chrono::duration<double, std::nano>(spent[i]).count() / messages;
  state.SetItemsProcessed(static_cast<std::int64_t>(messages));
}
BENCHMARK(steps);

// Each thread has its own virtual host; nothing is shared.
BENCHMARK_CAPTURE(whole_way, persistent, bench::works[0])->ThreadRange(1, 2)->UseRealTime();
BENCHMARK_CAPTURE(whole_way, transient, bench::works[1])->ThreadRange(1, 2)->UseRealTime();
BENCHMARK_CAPTURE(whole_way, fill, bench::works[2])->ThreadRange(1, 2)->UseRealTime();
BENCHMARK_CAPTURE(whole_way, topic, bench::works[3])->ThreadRange(1, 2)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
