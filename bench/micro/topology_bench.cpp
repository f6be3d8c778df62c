// Many bindings, queues, consumers and channels: operations that must not cost more because there
// are others.
#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "common/support.hpp"
#include "log/data_directory.hpp"
#include "log/log.hpp"
#include "micro/vhost.hpp"
#include "session/session.hpp"

namespace {

using namespace haypile;
using bench::Clock;
using bench::Sink;
using bench::Vhost;

const std::string body(100, 'x');

class Random {
 public:
  std::size_t below(std::size_t end) { return engine_() % end; }

 private:
  std::mt19937 engine_{1};
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ".") + word;
  return text;
}

// Words for region, site, line, device, kind of event and event: ten regions with a hundred sites
// with ten lines each, ten thousand names of devices, ten kinds, ten events.
std::vector<std::string> random_words(Random& random) {
  const std::array<std::size_t, 6> counts = {10, 100, 10, 10'000, 10, 10};
  std::vector<std::string> words;
  words.reserve(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i)
    words.push_back(std::string(1, "rsldke"[i]) + std::to_string(random.below(counts[i])));
  return words;
}

// A pattern of literal words only.
std::string literal_pattern(Random& random) {
  return joined(random_words(random));
}

// Seven of ten patterns are literal. Two have one or two `*` at random places. One has a `#`: for
// everything of a line ("r1.s2.l3.#"), for one event of a site ("r1.s2.#.k5.e6") or of a device
// name ("#.d4.k5.e6"), equally often.
std::string mixed_pattern(Random& random) {
  std::vector<std::string> words = random_words(random);
  const std::size_t share = random.below(10);
  if (share < 7) return joined(words);
  if (share < 9) {
    words[random.below(6)] = "*";
    if (random.below(2) == 0) words[random.below(6)] = "*";
    return joined(words);
  }
  switch (random.below(3)) {
    case 0:
      return joined({words[0], words[1], words[2], "#"});
    case 1:
      return joined({words[0], words[1], "#", words[4], words[5]});
    default:
      return joined({"#", words[3], words[4], words[5]});
  }
}

// Returns "#.a.#.b.#.c.#.d.#.e.#.f" with words out of eight, so that a key matches long parts of
// many patterns.
std::string hostile_words(Random& random, const char* between) {
  std::string text;
  for (int i = 0; i < 6; ++i)
    text += (i > 0 ? "." : "") + std::string(between) + "w" + std::to_string(random.below(8));
  return text;
}
std::string hostile_pattern(Random& random) {
  return hostile_words(random, "#.");
}
std::string hostile_key(Random& random) {
  return hostile_words(random, "");
}

using MakeText = std::string (*)(Random&);

// There are `state.range(0)` bindings with patterns of six words, to a thousand queues with
// consumers. Half of the keys, also of six words, are those of literal bindings, if there are any.
void topic(benchmark::State& state, MakeText make_pattern, MakeText make_key) {
  constexpr std::size_t queue_count = 1000;
  constexpr std::size_t key_count = 4096;
  Vhost vhost;
  Sink sink;
  engine::Subscriptions channel(vhost.engine, sink, 1);
  for (std::size_t i = 0; i < queue_count; ++i) {
    vhost.declare("q" + std::to_string(i));
    bench::consume(channel, "q" + std::to_string(i));
  }
  Random random;
  std::vector<std::string> keys;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const std::string pattern = make_pattern(random);
    vhost.bind("amq.topic", "q" + std::to_string(random.below(queue_count)), pattern);
    const bool is_literal = pattern.find_first_of("*#") == std::string::npos;
    if (is_literal && keys.size() < key_count / 2) keys.push_back(pattern);
  }
  while (keys.size() < key_count)
    keys.push_back(make_key(random));
  std::shuffle(keys.begin(), keys.end(), std::mt19937(2));
  std::size_t target_count = 0;
  std::size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    target_count += vhost.publish("amq.topic", keys[next], body);
    next = (next + 1) % keys.size();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["queues_a_message"] =
      benchmark::Counter(static_cast<double>(target_count), benchmark::Counter::kAvgIterations);
}
BENCHMARK_CAPTURE(topic, mixed, mixed_pattern, literal_pattern)
    ->Arg(1000)
    ->Arg(10'000)
    ->Arg(100'000);
BENCHMARK_CAPTURE(topic, literal, literal_pattern, literal_pattern)
    ->Arg(1000)
    ->Arg(10'000)
    ->Arg(100'000);
BENCHMARK_CAPTURE(topic, hostile, hostile_pattern, hostile_key)
    ->Arg(1000)
    ->Arg(10'000)
    ->Arg(100'000);

// Adds one more binding and removes it again.
void bind_unbind(benchmark::State& state) {
  Vhost vhost;
  vhost.declare("q");
  Random random;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    vhost.bind("amq.topic", "q", mixed_pattern(random));
  engine::BindingDefinition binding;
  binding.source = "amq.topic";
  binding.destination = "q";
  binding.routing_key = "one.more.*.of.them.#";
  for ([[maybe_unused]] auto _ : state) {
    static_cast<void>(vhost.engine.bind(binding, 1));
    static_cast<void>(vhost.engine.unbind(binding, 1));
  }
}
BENCHMARK(bind_unbind)->Arg(1000)->Arg(100'000);

// Measures the processor time of phases, as counters: nanoseconds for each queue, in the last
// iteration.
class Phases {
 public:
  Phases(benchmark::State& state, std::size_t queue_count)
      : state_(state), queue_count_(queue_count) {}
  // Calls `work(i)` for each queue.
  template <class Work>
  void run(const char* name, Work work) {
    once(name, [&] {
      for (std::size_t i = 0; i < queue_count_; ++i)
        work(i);
    });
  }
  template <class Work>
  void once(const char* name, Work work) {
    const std::clock_t start = std::clock();
    work();
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    total_seconds_ += seconds;
    state_.counters[name] = seconds * 1e9 / static_cast<double>(queue_count_);
  }
  double total_seconds() const { return total_seconds_; }

 private:
  benchmark::State& state_;
  std::size_t queue_count_;
  double total_seconds_ = 0;
};

// The life of `count` queues, each with a consumer, a hundred consumers to a channel: all queues
// are declared, then all are bound, and so on. They are deleted in the order in which they were
// declared. `settle` lets the journal catch up after each phase; its time is not counted.
void live(benchmark::State& state, Vhost& vhost, std::size_t count, engine::OwnerId owner,
          const std::function<void()>& settle) {
  Phases phases(state, count);
  Sink sink;
  std::vector<std::unique_ptr<engine::Subscriptions>> channels;
  std::vector<std::uint64_t> tags(count);
  std::vector<std::string> names;
  names.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    names.push_back("queue." + std::to_string(i));
  for (std::size_t i = 0; i < count; i += 100)
    channels.push_back(std::make_unique<engine::Subscriptions>(vhost.engine, sink, 1));
  const auto channel = [&](std::size_t i) -> engine::Subscriptions& { return *channels[i / 100]; };
  phases.run("declare", [&](std::size_t i) {
    engine::Queue* queue = nullptr;
    static_cast<void>(vhost.engine.declare_queue(
        {.id = 0, .name = names[i], .durable = true, .auto_delete = false, .arguments = {}}, owner,
        1, queue));
  });
  settle();
  phases.run("bind_fanout", [&](std::size_t i) { vhost.bind("amq.fanout", names[i], ""); });
  phases.run("bind_topic", [&](std::size_t i) { vhost.bind("amq.topic", names[i], names[i]); });
  settle();
  phases.run("consume", [&](std::size_t i) { bench::consume(channel(i), names[i], false); });
  phases.run("publish", [&](std::size_t i) {
    vhost.publish("amq.topic", names[i], body);
    tags[i] = sink.last_tag;
  });
  settle();
  phases.run("ack", [&](std::size_t i) {
    static_cast<void>(channel(i).settle(tags[i], false, engine::Settlement::ack));
  });
  settle();
  // One message goes to all queues; their consumers are cancelled before they have settled it.
  phases.once("publish_fanout", [&] { vhost.publish("amq.fanout", "", body); });
  phases.run("cancel", [&](std::size_t i) { channel(i).cancel(names[i]); });
  phases.run("ack_after_cancel", [&](std::size_t i) {
    const std::uint64_t tag = i % 100 + 1 + std::min<std::size_t>(100, count - i / 100 * 100);
    static_cast<void>(channel(i).settle(tag, false, engine::Settlement::ack));
  });
  settle();
  phases.run("delete", [&](std::size_t i) { vhost.remove(names[i]); });
  settle();
  state.SetIterationTime(phases.total_seconds());
}

void queues(benchmark::State& state, engine::OwnerId owner) {
  for ([[maybe_unused]] auto _ : state) {
    Vhost vhost;
    live(state, vhost, static_cast<std::size_t>(state.range(0)), owner, [] {});
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(queues, shared, 0)->Arg(1000)->Arg(10'000)->UseManualTime();
BENCHMARK_CAPTURE(queues, exclusive, 1)->Arg(1000)->Arg(10'000)->UseManualTime();

class Nobody final : public engine::Recovery {
 public:
  void exchange(const engine::ExchangeDefinition&) override {}
  void queue(const engine::QueueDefinition&, engine::TimeMs) override {}
  void binding(const engine::BindingDefinition&) override {}
  void backlog(engine::QueueId, std::uint8_t, engine::Backlog&) override {}
  void message(engine::LogPosition, const engine::MessageView&,
               std::span<const engine::RecoveredRef>) override {}
};

// A log whose writer works only when it is told to.
struct Disk {
  bench::ScratchDirectory scratch;
  log::DataDirectory directory{scratch.path()};
  log::Log log{
      directory.files(), directory.vhost_directory("/"), directory.id(), {.threaded = false}};
  Disk() {
    Nobody nobody;
    log.recover(nobody);
  }
  void sync() {
    log.flush();
    log.step();
  }
};

void queues_with_log(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    Disk disk;
    Vhost vhost(disk.log);
    live(state, vhost, static_cast<std::size_t>(state.range(0)), 0, [&] { disk.sync(); });
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(queues_with_log)->Arg(1000)->Arg(10'000)->UseManualTime();

// A message is published to one queue while there are `state.range(0)` other queues with consumers.
void publish_among(benchmark::State& state) {
  Vhost vhost;
  Sink sink;
  Sink idle;
  engine::Subscriptions channel(vhost.engine, sink, 1);
  engine::Subscriptions others(vhost.engine, idle, 2);
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    vhost.declare("q" + std::to_string(i));
    bench::consume(others, "q" + std::to_string(i), false);
  }
  vhost.declare("busy");
  bench::consume(channel, "busy", false);
  for ([[maybe_unused]] auto _ : state) {
    vhost.publish("", "busy", body);
    benchmark::DoNotOptimize(channel.settle(sink.last_tag, false, engine::Settlement::ack));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(publish_among)->Arg(10)->Arg(10'000);

// A client that has logged in and opened `channel_count` channels.
class Client final : session::SessionHost {
 public:
  Client(engine::Engine& engine, std::uint16_t channel_count)
      : engine_(engine), session(*this, settings_, 1, Clock::now()) {
    session.receive(amqp::protocol_header, Clock::now());
    send(0, amqp::connection::StartOk{.mechanism = "PLAIN",
                                      .response = std::string_view("\0guest\0guest", 12),
                                      .locale = "en_US"});
    send(0, amqp::connection::TuneOk{.channel_max = 2047, .frame_max = 4096, .heartbeat = 0});
    send(0, amqp::connection::Open{.virtual_host = "/"});
    for (std::uint16_t i = 1; i <= channel_count; ++i) {
      send(i, amqp::channel::Open{});
      send(i, amqp::confirm::Select{});
    }
    take_output();
  }
  template <class M>
  void send(std::uint16_t channel, const M& method) {
    std::string bytes;
    amqp::append_method(bytes, channel, method);
    session.receive(bytes, Clock::now());
  }
  void publish(std::uint16_t channel, std::string_view queue) {
    std::string bytes;
    amqp::append_message(bytes, channel, amqp::basic::Publish{.routing_key = queue},
                         std::string_view("\x10\x00\x02", 3), body, 4096);
    session.receive(bytes, Clock::now());
  }
  void take_output() {
    if (session.has_output()) session.output_sent(session.output_size(), Clock::now());
  }

 private:
  session::LoginAnswer log_in(std::string_view, std::string_view) override {
    return session::LoginAnswer::accepted;
  }
  session::SessionMemory& memory() override { return memory_; }
  bool publishers_must_wait() override { return false; }
  engine::Engine* find_vhost(std::string_view) override { return &engine_; }
  std::string unique_name() override { return "name"; }
  void output_ready() override {}

  engine::Engine& engine_;
  session::Settings settings_{.version = "0"};
  session::SessionMemory memory_;

 public:
  session::Session session;
};

// The log has advanced, but not far enough for the one channel of `state.range(0)` that waits; and
// some output was sent.
void log_advanced(benchmark::State& state) {
  Disk disk;
  Vhost vhost(disk.log);
  vhost.declare("q");
  disk.sync();
  Client client(vhost.engine, static_cast<std::uint16_t>(state.range(0)));
  client.publish(1, "q");
  if (!client.session.awaits_log()) state.SkipWithError("nobody waits");
  for ([[maybe_unused]] auto _ : state) {
    client.session.log_advanced();
    client.take_output();
  }
}
BENCHMARK(log_advanced)->Arg(1)->Arg(2000);

}  // namespace

BENCHMARK_MAIN();
