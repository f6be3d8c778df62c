// Tests of what a client declares again after a reconnect.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include <haypile/amqp/table.hpp>

#include "client/core/topology.hpp"

using haypile::Topology;
using haypile::amqp::Table;
using haypile::amqp::TableView;
namespace exchange = haypile::amqp::exchange;
namespace queue = haypile::amqp::queue;
using Lines = std::vector<std::string>;

namespace {

std::string flags(const std::vector<std::pair<bool, std::string>>& all) {
  std::string text;
  for (const auto& [is_set, name] : all) {
    if (is_set) text += " " + name;
  }
  return text;
}

std::string arguments(TableView table) {
  std::string text;
  for (const auto& field : table) {
    text.append(" ").append(field.key).append("=");
    text += field.value.as_string() ? std::string(*field.value.as_string())
                                    : std::to_string(field.value.as_int64().value_or(-1));
  }
  return text;
}

// Writes a line for each method of a replay.
struct Recorder {
  void operator()(const exchange::Declare& method) {
    lines.push_back("exchange " + std::string(method.exchange) + " " + std::string(method.type) +
                    flags({{method.durable, "durable"},
                           {method.auto_delete, "auto_delete"},
                           {method.internal, "internal"},
                           {method.passive, "passive"},
                           {method.no_wait, "no_wait"}}) +
                    arguments(method.arguments));
  }
  void operator()(const exchange::Bind& method) {
    lines.push_back("exchange-bind " +
                    binding(method.source, method.routing_key, method.destination) +
                    arguments(method.arguments));
  }
  void operator()(const queue::Declare& method, std::string_view known_name) {
    lines.push_back("queue '" + std::string(method.queue) + "' " + std::string(known_name) +
                    flags({{method.durable, "durable"},
                           {method.exclusive, "exclusive"},
                           {method.auto_delete, "auto_delete"},
                           {method.passive, "passive"},
                           {method.no_wait, "no_wait"}}) +
                    arguments(method.arguments));
  }
  void operator()(const queue::Bind& method) {
    lines.push_back("bind " + binding(method.exchange, method.routing_key, method.queue) +
                    arguments(method.arguments));
  }
  static std::string binding(std::string_view source, std::string_view key,
                             std::string_view destination) {
    return std::string(source).append(" -").append(key).append("-> ").append(destination);
  }
  Lines lines;
};

Lines declarations(const Topology& topology) {
  Recorder recorder;
  topology.replay_declarations(recorder);
  return recorder.lines;
}

Lines bindings(const Topology& topology) {
  Recorder recorder;
  topology.replay_bindings(recorder);
  return recorder.lines;
}

void declare(Topology& topology, std::string_view name) {
  topology.declared(queue::Declare{.queue = name}, name);
}

void bind(Topology& topology, std::string_view name, std::string_view source) {
  topology.bound(queue::Bind{.queue = name, .exchange = source, .routing_key = "k"});
}

}  // namespace

TEST_CASE("what was declared is declared again in the order in which one needs the other") {
  Topology topology;
  {
    // What was sent may be gone when it is needed.
    const Table priority{{"x-max-priority", 5}};
    const Table other{{"alternate-exchange", "spare"}};
    const Table match{{"x-match", "all"}};
    topology.declared(
        queue::Declare{.queue = "tasks", .durable = true, .no_wait = true, .arguments = priority},
        "tasks");
    topology.declared(exchange::Declare{
        .exchange = "in", .type = "topic", .durable = true, .internal = true, .arguments = other});
    topology.bound(
        queue::Bind{.queue = "tasks", .exchange = "in", .routing_key = "a.#", .arguments = match});
    topology.declared(exchange::Declare{.exchange = "edge", .type = "fanout"});
    topology.bound(exchange::Bind{
        .destination = "in", .source = "edge", .routing_key = "b", .arguments = match});
  }
  CHECK(declarations(topology) ==
        Lines{"exchange edge fanout", "exchange in topic durable internal alternate-exchange=spare",
              "exchange-bind edge -b-> in x-match=all",
              "queue 'tasks' tasks durable x-max-priority=5"});
  CHECK(bindings(topology) == Lines{"bind in -a.#-> tasks x-match=all"});
  CHECK(topology.size() == 5);
}

TEST_CASE("each thing is declared once, however often it was") {
  Topology topology;
  for (int i = 0; i < 1000; ++i) {
    declare(topology, "tasks");
    bind(topology, "tasks", "amq.direct");
    topology.declared(exchange::Declare{.exchange = "e", .type = "direct"});
    topology.bound(exchange::Bind{.destination = "e", .source = "amq.direct"});
  }
  CHECK(topology.size() == 4);
  CHECK(declarations(topology).size() == 3);
  CHECK(bindings(topology).size() == 1);
}

TEST_CASE("a passive declaration asks, and is not repeated") {
  Topology topology;
  topology.declared(queue::Declare{.queue = "tasks", .durable = true}, "tasks");
  topology.declared(queue::Declare{.queue = "tasks", .passive = true}, "tasks");
  topology.declared(queue::Declare{.queue = "other", .passive = true}, "other");
  topology.declared(exchange::Declare{.exchange = "logs", .passive = true});
  CHECK(declarations(topology) == Lines{"queue 'tasks' tasks durable"});
}

TEST_CASE("a queue that was deleted and declared otherwise has its last options") {
  Topology topology;
  topology.declared(queue::Declare{.queue = "q", .durable = true, .auto_delete = true}, "q");
  topology.declared(queue::Declare{.queue = "q", .exclusive = true}, "q");
  topology.declared(exchange::Declare{.exchange = "e", .type = "direct", .durable = true});
  topology.declared(exchange::Declare{.exchange = "e", .type = "fanout", .auto_delete = true});
  CHECK(declarations(topology) == Lines{"exchange e fanout auto_delete", "queue 'q' q exclusive"});
}

TEST_CASE("bindings differ in key and arguments, and are unbound one by one") {
  Topology topology;
  const Table all{{"x-match", "all"}};
  topology.bound(queue::Bind{.queue = "q", .exchange = "e", .routing_key = "a"});
  topology.bound(queue::Bind{.queue = "q", .exchange = "e", .routing_key = "b"});
  topology.bound(queue::Bind{.queue = "q", .exchange = "e", .arguments = all});
  topology.bound(exchange::Bind{.destination = "q", .source = "e", .routing_key = "a"});
  topology.unbound(queue::Unbind{.queue = "q", .exchange = "e", .routing_key = "a"});
  topology.unbound(queue::Unbind{.queue = "q", .exchange = "e"});
  CHECK(bindings(topology) == Lines{"bind e --> q x-match=all", "bind e -b-> q"});
  CHECK(declarations(topology) == Lines{"exchange-bind e -a-> q"});
  topology.unbound(exchange::Unbind{.destination = "q", .source = "e", .routing_key = "a"});
  CHECK(declarations(topology).empty());
}

TEST_CASE("what is deleted loses its bindings, and those alone") {
  Topology topology;
  declare(topology, "a");
  declare(topology, "b");
  for (const char* name : {"a", "aa", "b"})
    bind(topology, name, "e");
  topology.declared(exchange::Declare{.exchange = "a", .type = "fanout"});
  topology.bound(exchange::Bind{.destination = "a", .source = "e"});
  topology.bound(exchange::Bind{.destination = "e", .source = "a"});
  bind(topology, "b", "a");

  topology.deleted(queue::Delete{.queue = "a"});
  CHECK(declarations(topology) == Lines{"exchange a fanout", "exchange-bind e --> a",
                                        "exchange-bind a --> e", "queue 'b' b"});
  CHECK(bindings(topology) == Lines{"bind e -k-> aa", "bind a -k-> b", "bind e -k-> b"});
  topology.deleted(exchange::Delete{.exchange = "a"});
  CHECK(declarations(topology) == Lines{"queue 'b' b"});
  CHECK(bindings(topology) == Lines{"bind e -k-> aa", "bind e -k-> b"});
  topology.forget("e");
  topology.forget("b");
  CHECK(topology.size() == 0);
}

TEST_CASE("a queue without a name gets a new one from the broker, and is known by its first one") {
  Topology topology;
  topology.declared(queue::Declare{.exclusive = true}, "gen-1");
  bind(topology, "gen-1", "e");
  CHECK(declarations(topology) == Lines{"queue '' gen-1 exclusive"});
  for (const char* name : {"gen-2", "gen-3"}) {
    topology.renamed("gen-1", name);
    CHECK(declarations(topology) == Lines{"queue '' gen-1 exclusive"});
    CHECK(bindings(topology) == Lines{std::string("bind e -k-> ") + name});
    CHECK(topology.present_name("gen-1") == name);
    CHECK(topology.present_name(name) == name);
  }
  CHECK(topology.present_name("other") == "other");
  // Both names are the same queue.
  bind(topology, "gen-3", "e");
  bind(topology, "gen-1", "f");
  CHECK(bindings(topology) == Lines{"bind e -k-> gen-3", "bind f -k-> gen-3"});
  topology.unbound(queue::Unbind{.queue = "gen-3", .exchange = "f", .routing_key = "k"});
  topology.declared(queue::Declare{.queue = "gen-3", .exclusive = true}, "gen-3");
  CHECK(topology.size() == 2);
  CHECK(declarations(topology) == Lines{"queue '' gen-1 exclusive"});
  // The name in between is nobody's.
  declare(topology, "gen-2");
  CHECK(declarations(topology) == Lines{"queue '' gen-1 exclusive", "queue 'gen-2' gen-2"});
  topology.forget("gen-2");
  topology.deleted(queue::Delete{.queue = "gen-3"});
  CHECK(topology.size() == 0);
  declare(topology, "gen-3");
  CHECK(declarations(topology) == Lines{"queue 'gen-3' gen-3"});
  CHECK(topology.present_name("gen-1") == "gen-1");
  topology.renamed("gen-1", "gen-4");
  CHECK(topology.present_name("gen-1") == "gen-1");
}

TEST_CASE("a queue that deletes itself is forgotten with this client's last consumer") {
  Topology topology;
  topology.declared(queue::Declare{.auto_delete = true}, "gen-1");
  declare(topology, "stays");
  bind(topology, "gen-1", "e");
  topology.renamed("gen-1", "gen-2");
  topology.unused("stays");
  topology.unused("unknown");
  CHECK(topology.size() == 3);
  topology.unused("gen-2");
  CHECK(declarations(topology) == Lines{"queue 'stays' stays"});
  CHECK(bindings(topology).empty());
}

TEST_CASE("an exchange that deletes itself is forgotten with its last binding") {
  const exchange::Declare temporary{.exchange = "b", .type = "fanout", .auto_delete = true};
  Topology topology;
  topology.declared(temporary);
  declare(topology, "q");
  bind(topology, "q", "b");
  topology.bound(exchange::Bind{.destination = "other", .source = "b"});
  topology.unbound(queue::Unbind{.queue = "q", .exchange = "b", .routing_key = "no such"});
  topology.deleted(queue::Delete{.queue = "q"});
  CHECK(declarations(topology).size() == 2);
  topology.unbound(exchange::Unbind{.destination = "other", .source = "b"});
  CHECK(topology.size() == 0);

  topology.declared(temporary);
  topology.unbound(queue::Unbind{.queue = "q", .exchange = "b", .routing_key = "k"});
  topology.unbound(exchange::Unbind{.destination = "q", .source = "b"});
  CHECK(topology.size() == 1);
  bind(topology, "q", "b");
  topology.bound(exchange::Bind{.destination = "other", .source = "b"});
  topology.unbound(exchange::Unbind{.destination = "other", .source = "b"});
  CHECK(topology.size() == 2);
  topology.unbound(queue::Unbind{.queue = "q", .exchange = "b", .routing_key = "k"});
  CHECK(topology.size() == 0);

  topology.declared(temporary);
  bind(topology, "q", "b");
  topology.deleted(queue::Delete{.queue = "q"});
  CHECK(topology.size() == 0);
}

TEST_CASE("exchanges that delete themselves go one after the other") {
  Topology topology;
  for (int i = 0; i < 3; ++i) {
    const std::string name = "e" + std::to_string(i);
    topology.declared(exchange::Declare{.exchange = name, .type = "fanout", .auto_delete = true});
  }
  topology.declared(exchange::Declare{.exchange = "root", .type = "fanout"});
  topology.bound(exchange::Bind{.destination = "e0", .source = "root"});
  topology.bound(exchange::Bind{.destination = "e1", .source = "e0"});
  topology.bound(exchange::Bind{.destination = "e2", .source = "e1"});
  topology.bound(exchange::Bind{.destination = "e1", .source = "e2"});
  bind(topology, "q", "e2");
  topology.deleted(queue::Delete{.queue = "q"});
  CHECK(topology.size() == 8);
  topology.unbound(exchange::Unbind{.destination = "e1", .source = "e2"});
  CHECK(declarations(topology) == Lines{"exchange root fanout"});
}

TEST_CASE("a replay makes the topology that was there, whatever was done") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto name = [&random](const char* kind) { return kind + std::to_string(random() % 4); };
    Topology topology;
    for (int step = 0; step < 200; ++step) {
      const std::string from = name("e"), to = name("e"), of = name("q"), key = name("k");
      const bool deletes_itself = random() % 4 == 0;
      switch (random() % 9) {
        case 0:
          topology.declared(queue::Declare{.queue = of, .auto_delete = deletes_itself}, of);
          break;
        case 1:
          topology.declared(
              exchange::Declare{.exchange = to, .type = key, .auto_delete = deletes_itself});
          break;
        case 2:
          topology.bound(queue::Bind{.queue = of, .exchange = from, .routing_key = key});
          break;
        case 3:
          topology.bound(exchange::Bind{.destination = to, .source = from, .routing_key = key});
          break;
        case 4:
          topology.unbound(queue::Unbind{.queue = of, .exchange = from, .routing_key = key});
          break;
        case 5:
          topology.unbound(exchange::Unbind{.destination = to, .source = from, .routing_key = key});
          break;
        case 6:
          topology.deleted(queue::Delete{.queue = of});
          break;
        case 7:
          if (random() % 4 == 0) topology.deleted(exchange::Delete{.exchange = to});
          break;
        default:
          topology.unused(of);
          break;
      }
    }
    Topology again;
    struct {
      void operator()(const queue::Declare& method, std::string_view known) {
        to.declared(method, known);
      }
      void operator()(const exchange::Declare& method) { to.declared(method); }
      void operator()(const queue::Bind& method) { to.bound(method); }
      void operator()(const exchange::Bind& method) { to.bound(method); }
      Topology& to;
    } copy{again};
    topology.replay_declarations(copy);
    topology.replay_bindings(copy);
    CHECK(again.size() == topology.size());
    CHECK(declarations(again) == declarations(topology));
    CHECK(bindings(again) == bindings(topology));
  }
}
