// Benchmarks of frames and methods of the hot path.
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

#include "micro/counted.hpp"

namespace {

using namespace haypile;

const std::string body(100, 'x');
const std::string_view raw_properties("\x10\x00\x02", 3);

void parse_publish(benchmark::State& state) {
  std::string bytes;
  amqp::append_message(bytes, 1, amqp::basic::Publish{.routing_key = "task_queue"}, raw_properties,
                       body, 131072);
  const bench::CountAllocations count(state);
  for ([[maybe_unused]] auto _ : state) {
    std::string_view rest = bytes;
    amqp::Frame frame;
    std::size_t size = 0;
    amqp::parse_frame(rest, 131072, frame, size);
    rest.remove_prefix(size);
    amqp::basic::Publish publish;
    benchmark::DoNotOptimize(amqp::decode_arguments(frame.payload.substr(4), publish));
    amqp::parse_frame(rest, 131072, frame, size);
    rest.remove_prefix(size);
    amqp::ContentHeader header;
    benchmark::DoNotOptimize(amqp::decode_content_header(frame.payload, header));
    amqp::Properties properties;
    benchmark::DoNotOptimize(amqp::decode_properties(header.raw_properties, properties));
    amqp::parse_frame(rest, 131072, frame, size);
    benchmark::DoNotOptimize(frame.payload.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(parse_publish);

void parse_ack(benchmark::State& state) {
  std::string bytes;
  amqp::append_method(bytes, 1, amqp::basic::Ack{.delivery_tag = 7});
  const bench::CountAllocations count(state);
  for ([[maybe_unused]] auto _ : state) {
    amqp::Frame frame;
    std::size_t size = 0;
    amqp::parse_frame(bytes, 131072, frame, size);
    amqp::basic::Ack ack;
    benchmark::DoNotOptimize(amqp::decode_arguments(frame.payload.substr(4), ack));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(parse_ack);

void write_deliver(benchmark::State& state) {
  std::string out;
  std::uint64_t delivery_tag = 0;
  const bench::CountAllocations count(state);
  for ([[maybe_unused]] auto _ : state) {
    if (out.size() > 1u << 16) out.clear();
    amqp::append_message(out, 1,
                         amqp::basic::Deliver{.consumer_tag = "amq.ctag-0123456789",
                                              .delivery_tag = ++delivery_tag,
                                              .routing_key = "task_queue"},
                         raw_properties, body, 131072);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(write_deliver);

void validate_table(benchmark::State& state) {
  const amqp::Table table{
      {"x-queue-type", "classic"}, {"n", 1}, {"nested", amqp::Table{{"a", true}, {"b", "text"}}}};
  const bench::CountAllocations count(state);
  for ([[maybe_unused]] auto _ : state) {
    amqp::TableView view;
    benchmark::DoNotOptimize(amqp::TableView::parse(table.bytes(), view));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(validate_table);

}  // namespace

BENCHMARK_MAIN();
