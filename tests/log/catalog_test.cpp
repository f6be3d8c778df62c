// The definitions as the log knows them.
#include <doctest/doctest.h>

#include <string>

#include "log/catalog.hpp"
#include "log/checkpoint.hpp"
#include "support/log_fixture.hpp"
#include "support/recovered.hpp"

using namespace haypile;
using log::Catalog;
using test::queue_definition;

namespace {

engine::BindingDefinition binding(const std::string& queue, const std::string& key = "k") {
  return {.source = "x",
          .destination_kind = engine::DestinationKind::queue,
          .destination = queue,
          .routing_key = key,
          .arguments = {}};
}

engine::ExchangeDefinition exchange() {
  engine::ExchangeDefinition definition;
  definition.name = "x";
  definition.durable = true;
  return definition;
}

// How many records the catalog encodes to.
std::size_t record_count(const Catalog& catalog) {
  test::Recovered recovered;
  catalog.emit(recovered);
  return recovered.exchanges.size() + recovered.queues.size() + recovered.bindings.size();
}

}  // namespace

TEST_CASE("what is deleted takes its bindings along, and a new one of that name has none of them") {
  Catalog catalog;
  catalog.declare_exchange(exchange());
  catalog.declare_queue(queue_definition(1));
  catalog.bind(binding("q1"));
  CHECK(record_count(catalog) == 3);
  catalog.delete_queue(1);
  CHECK(record_count(catalog) == 1);
  catalog.declare_queue(queue_definition(1));
  CHECK(record_count(catalog) == 2);
  catalog.bind(binding("q1"));
  catalog.release_binding(binding("q1"));  // the old one, of which nothing is left
  CHECK(record_count(catalog) == 3);
}

TEST_CASE("what is encoded makes the same catalog again") {
  Catalog catalog;
  catalog.set_clock_offset(-5);
  catalog.declare_exchange(exchange());
  catalog.declare_queue(queue_definition(1));
  catalog.declare_queue(queue_definition(2));
  catalog.set_unused_since(2, 77);
  catalog.bind(binding("q1"));
  catalog.bind(binding("q2", "other"));
  catalog.unbind(binding("q1"));
  log::Piles none;
  const log::Checkpoint again = log::decode_checkpoint(
      log::encode_checkpoint({.position = 8192}, catalog, none, test::directory_id), "file",
      test::directory_id);
  CHECK(again.catalog.encode() == catalog.encode());
  CHECK(again.catalog.clock_offset_ms() == -5);
  CHECK(again.catalog.has_queue(2));
}

TEST_CASE("each change is counted, so that nobody uses what was encoded before it") {
  Catalog catalog;
  std::uint64_t count = catalog.change_count();
  const auto has_changed = [&] { return std::exchange(count, catalog.change_count()) != count; };
  catalog.declare_exchange(exchange());
  CHECK(has_changed());
  catalog.declare_queue(queue_definition(1));
  CHECK(has_changed());
  catalog.bind(binding("q1"));
  CHECK(has_changed());
  catalog.set_unused_since(1, 5);
  CHECK(has_changed());
  catalog.unbind(binding("q1"));
  CHECK(has_changed());
  catalog.set_clock_offset(1);
  CHECK(has_changed());
  catalog.delete_queue(1);
  CHECK(has_changed());
  catalog.delete_exchange("x");
  CHECK(has_changed());
  static_cast<void>(catalog.encode());
  CHECK_FALSE(has_changed());
}
