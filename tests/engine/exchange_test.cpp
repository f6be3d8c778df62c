#include <doctest/doctest.h>

#include <haypile/amqp/table.hpp>

#include <memory>
#include <string>
#include <vector>

#include "engine/exchange.hpp"
#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::DestinationKind;
using engine::Exchange;
using engine::ExchangeType;

namespace {

struct Fixture {
  session::AmqpPropertyCodec wire;
  engine::MemoryUse memory;
  engine::ExchangeContext context{engine::TextHash(1), memory};
  Exchange destination{{"d", ExchangeType::fanout, false, false, false, ""}, "", context};

  std::unique_ptr<Exchange> exchange(ExchangeType type) {
    return std::make_unique<Exchange>(
        engine::ExchangeDefinition{"e", type, false, false, false, ""}, "", context);
  }
  engine::BindingDefinition definition(int i) {
    const amqp::Table asked{{"n", i}, {"all", "same"}};
    return {"e", DestinationKind::exchange, "d", "key." + std::to_string(i) + ".*",
            std::string(asked.bytes())};
  }
  void bind(Exchange& source, int i) {
    auto binding = std::make_unique<engine::Binding>();
    binding->exchange = &destination;
    binding->definition = definition(i);
    const auto headers = engine::HeadersMatch::from_arguments(wire, binding->definition.arguments);
    REQUIRE(headers);
    CHECK(source.bind(std::move(binding), *headers));
  }
};

constexpr ExchangeType all_types[] = {ExchangeType::direct, ExchangeType::fanout,
                                      ExchangeType::topic, ExchangeType::headers};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "bindings that are gone leave neither memory nor weight") {
  for (const ExchangeType type : all_types) {
    INFO(static_cast<int>(type));
    const auto source = exchange(type);
    const std::size_t empty = source->memory_bytes();
    const std::size_t counted = memory.definition_bytes;
    std::size_t least = empty;
    for (int i = 0; i < 1000; ++i) {
      bind(*source, i);
      if (i % 100 != 0) continue;
      CHECK(source->memory_bytes() > least);
      least = source->memory_bytes();
    }
    CHECK(source->memory_bytes() > empty + 1000 * sizeof(engine::Binding));
    CHECK(memory.definition_bytes - counted >= source->memory_bytes() - empty);
    const bool may_weigh = type == ExchangeType::topic || type == ExchangeType::headers;
    CHECK(source->weight() == (may_weigh ? 2000 : 0));
    CHECK(destination.incoming().size() == 1000);
    for (int i = 0; i < 1000; i += 2)
      CHECK(source->unbind(definition(i)));
    CHECK_FALSE(source->unbind(definition(0)));
    CHECK(source->binding_count() == 500);
    source->unbind_all();
    CHECK_FALSE(source->in_use());
    CHECK(destination.incoming().empty());
    CHECK(source->weight() == 0);
    CHECK(source->memory_bytes() <= empty + 16'384);
    CHECK(memory.definition_bytes <= counted + 128'000);
  }
}

TEST_CASE_FIXTURE(Fixture, "who goes takes the bindings along, to it and from it") {
  const auto source = exchange(ExchangeType::topic);
  bind(*source, 1);
  {
    Exchange between({"b", ExchangeType::fanout, false, false, false, ""}, "", context);
    auto to = std::make_unique<engine::Binding>();
    to->exchange = &between;
    to->definition = {"e", DestinationKind::exchange, "b", "#", ""};
    CHECK(source->bind(std::move(to)));
    auto from = std::make_unique<engine::Binding>();
    from->exchange = &destination;
    from->definition = {"b", DestinationKind::exchange, "d", "", ""};
    CHECK(between.bind(std::move(from)));
    CHECK(destination.incoming().size() == 2);
  }
  CHECK(source->binding_count() == 1);
  CHECK(destination.incoming().size() == 1);
}

TEST_CASE_FIXTURE(test::EngineFixture, "an exchange takes so much of what makes matches long") {
  declare("q");
  // The table has as many headers as it may have, different in each binding.
  const std::size_t headers_count = 10'000;
  const auto arguments = [&](std::size_t i) {
    std::string table;
    for (std::size_t header = 0; header < headers_count; ++header) {
      const std::string name = std::to_string(header);
      // A field is a short string and a signed octet.
      table += static_cast<char>(name.size()) + name + 'b' + static_cast<char>(i);
    }
    return table;
  };
  const std::size_t fitting = Exchange::weight_max / headers_count;
  for (std::size_t i = 0; i < fitting; ++i)
    bind("amq.headers", "q", "", arguments(i));
  engine::BindingDefinition more{"amq.headers", DestinationKind::queue, "q", "",
                                 arguments(fitting)};
  const engine::Error error = engine.bind(more, 0);
  CHECK(static_cast<int>(error.code) == 406);
  CHECK(error.text.find("amq.headers") != std::string::npos);
  // A binding that is there already needs no room. Another exchange has room, and so has this one
  // when a binding was removed.
  more.arguments = arguments(0);
  CHECK_FALSE(engine.bind(more, 0));
  bind("amq.match", "q", "", arguments(fitting));
  CHECK_FALSE(engine.unbind(more, 0));
  more.arguments = arguments(fitting);
  CHECK_FALSE(engine.bind(more, 0));
}
