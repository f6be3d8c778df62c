#include <doctest/doctest.h>

#include <haypile/amqp/table.hpp>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/router.hpp"
#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::DestinationKind;
using engine::Exchange;
using engine::ExchangeType;
using engine::Router;

namespace {

// Exchanges and queues, and a router that finds the queues of a message.
struct Fixture : test::EngineFixture {
  engine::MemoryUse memory;
  engine::ExchangeContext context{engine::TextHash(1), memory};
  engine::StringMap<std::unique_ptr<Exchange>> exchanges;
  Router router{reader, context, exchanges};

  Exchange& add(const std::string& name, ExchangeType type, const std::string& alternate = {}) {
    auto& place = exchanges[name];
    place = std::make_unique<Exchange>(
        engine::ExchangeDefinition{name, type, false, false, false, ""}, alternate, context);
    return *place;
  }
  Exchange& get(const std::string& name) { return *exchanges.at(name); }
  void link(const std::string& from, const std::string& to, const std::string& key = {}) {
    auto binding = std::make_unique<engine::Binding>();
    binding->exchange = &get(to);
    binding->definition = {from, DestinationKind::exchange, to, key, ""};
    REQUIRE(get(from).bind(std::move(binding)));
  }
  void link(const std::string& from, engine::Queue& queue, const std::string& key = {},
            const std::string& arguments = {}) {
    auto binding = std::make_unique<engine::Binding>();
    binding->queue = &queue;
    binding->definition = {from, DestinationKind::queue, queue.name(), key, arguments};
    const auto headers = engine::HeadersMatch::from_arguments(reader, arguments);
    REQUIRE(get(from).bind(std::move(binding), *headers));
  }
  // Returns the names of the queues. `complete` is false if some are missing.
  std::multiset<std::string> route(const std::string& from, const std::vector<std::string>& keys,
                                   std::string_view headers = {}) {
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    std::vector<engine::Queue*> queues;
    complete = router.route(get(from), views, headers, queues);
    std::multiset<std::string> names;
    for (const engine::Queue* queue : queues)
      names.insert(queue->name());
    return names;
  }
  bool complete = true;

  ~Fixture() {
    for (auto& [name, exchange] : exchanges)
      exchange->unbind_all();
  }
};

std::string text(int number) {
  return std::to_string(number);
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "three hundred exchanges, each bound to each: one look for a binding") {
  constexpr int count = 300;
  for (const ExchangeType type : {ExchangeType::fanout, ExchangeType::topic}) {
    exchanges.clear();
    for (int i = 0; i < count; ++i)
      add(text(i), type);
    for (int i = 0; i < count; ++i) {
      for (int k = 0; k < count; ++k)
        link(text(i), text(k), "#");
    }
    engine::Queue& queue = declare("q" + text(static_cast<int>(type)));
    link(text(count - 1), queue, "#");
    CHECK(route("0", {"k"}).size() == 1);
    CHECK(router.steps() < count * count + 10 * count);
  }
}

TEST_CASE_FIXTURE(Fixture, "what a list leads to is followed once, by however many keys") {
  add("topic", ExchangeType::topic);
  add("direct", ExchangeType::direct);
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    keys.push_back("key." + text(i));
    keys.push_back("same");
  }
  for (int i = 0; i < 500; ++i) {
    engine::Queue& queue = declare("q" + text(i));
    link("topic", queue, "#");
    link("direct", queue, "same");
  }
  CHECK(route("topic", keys).size() == 500);
  CHECK(complete);
  CHECK(router.steps() < 20 * keys.size());
  CHECK(route("direct", keys).size() == 500);
  CHECK(complete);
  CHECK(router.steps() < 2 * keys.size());
}

TEST_CASE_FIXTURE(Fixture, "thousands of keys through thousands of exchanges come to an end") {
  for (int i = 0; i < 1000; ++i) {
    add(text(i), ExchangeType::direct);
    if (i > 0) link(text(i - 1), text(i), "first");
  }
  engine::Queue& queue = declare("q");
  link("999", queue, "first");
  std::vector<std::string> keys{"first"};
  for (int i = 0; i < 3000; ++i)
    keys.push_back("k" + text(i));
  // The message goes everywhere with its own key.
  CHECK(route("0", keys).size() == 1);
  CHECK_FALSE(complete);
  CHECK(router.steps() < Router::steps_max + 10'000);
  CHECK(route("0", {"first", "k1", "k2"}).size() == 1);
  CHECK(complete);
}

TEST_CASE_FIXTURE(test::EngineFixture, "a message with too many keys for its exchange is refused") {
  declare("q");
  for (int i = 0; i < 1000; ++i) {
    exchange("e" + text(i), ExchangeType::direct);
    if (i > 0) bind_exchange("e" + text(i - 1), "e" + text(i), "first");
  }
  bind("e999", "q", "first");
  std::vector<std::string> keys;
  keys.reserve(3000);
  for (int i = 0; i < 3000; ++i)
    keys.push_back("k" + text(i));
  const std::vector<std::string_view> more_keys(keys.begin(), keys.end());
  const engine::PublishResult result = engine.publish(
      {.message = {.exchange = "e0", .routing_key = "first", .properties = {}, .body = "m"},
       .traits = {},
       .headers = {},
       .more_keys = more_keys});
  CHECK(static_cast<int>(result.error.code) == 406);
  CHECK(result.rejected);
  engine::Purge purge;
  CHECK_FALSE(engine.purge_queue("q", 0, purge));
  CHECK(purge.message_count == 0);
}

TEST_CASE_FIXTURE(test::EngineFixture, "what routing has done is charged to the turn") {
  declare("q");
  for (int i = 0; i < 5000; ++i)
    bind("amq.fanout", "q", text(i));
  const std::uint64_t before = engine.work().spent();
  publish("amq.fanout", "k");
  CHECK(engine.work().spent() - before >= 5000 / Router::steps_per_unit);
}

// Compares any graph of exchanges of all types, with alternates and circles, with a simple search.
TEST_CASE_FIXTURE(Fixture, "a message comes to the queues that a plain search finds") {
  const auto has_key = [](ExchangeType type, const std::string& bound, const std::string& key) {
    return type == ExchangeType::fanout || bound == key ||
           (type == ExchangeType::topic && (bound == "#" || bound == "*"));
  };
  struct Edge {
    std::string to, key;
    bool to_queue;
  };
  std::mt19937 random(5);
  for (int i = 0; i < 8; ++i)
    declare("q" + text(i));
  for (int round = 0; round < 100; ++round) {
    exchanges.clear();
    std::map<std::string, std::vector<Edge>> edges;
    for (int i = 0; i < 10; ++i) {
      const auto type = static_cast<ExchangeType>(random() % 3);
      add(text(i), type, random() % 2 == 0 ? text(static_cast<int>(random() % 12)) : "");
    }
    for (int i = 0; i < 25; ++i) {
      const std::string from = text(static_cast<int>(random() % 10));
      const std::string key = std::vector<std::string>{"a", "b", "*", "#"}[random() % 4];
      const bool to_queue = random() % 3 == 0;
      const std::string to = to_queue ? "q" + text(static_cast<int>(random() % 8))
                                      : text(static_cast<int>(random() % 10));
      const engine::BindingDefinition definition{
          from, to_queue ? DestinationKind::queue : DestinationKind::exchange, to, key, ""};
      if (get(from).has(definition)) continue;
      edges[from].push_back({to, key, to_queue});
      engine::Queue* queue = nullptr;
      if (to_queue) {
        REQUIRE_FALSE(engine.find_queue(to, 0, queue));
        link(from, *queue, key);
      } else {
        link(from, to, key);
      }
    }
    const std::vector<std::string> keys =
        round % 2 == 0 ? std::vector<std::string>{"a"} : std::vector<std::string>{"b", "c", "b"};
    std::multiset<std::string> expected;
    std::set<std::string> seen{"0"};
    std::vector<std::string> waiting{"0"};
    while (!waiting.empty()) {
      const std::string name = waiting.back();
      waiting.pop_back();
      bool matched = false;
      const auto go = [&](const std::string& to, bool to_queue) {
        if (!to_queue && seen.insert(to).second) waiting.push_back(to);
        if (to_queue && seen.insert(to).second) expected.insert(to);
      };
      for (const Edge& edge : edges[name]) {
        for (const std::string& key : keys) {
          if (!has_key(get(name).definition().type, edge.key, key)) continue;
          matched = true;
          go(edge.to, edge.to_queue);
        }
      }
      const std::string& alternate = get(name).alternate();
      if (!matched && exchanges.contains(alternate)) go(alternate, false);
    }
    INFO(round);
    CHECK(route("0", keys) == expected);
  }
}
