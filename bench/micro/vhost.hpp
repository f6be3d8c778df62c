// A virtual host without a wire, for benchmarks of the engine.
#pragma once

#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "engine/engine.hpp"
#include "session/amqp_property_codec.hpp"

namespace haypile::bench {

// A sink that takes everything.
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
  // Makes a virtual host without a disk.
  Vhost() : journal(nothing) {}
  explicit Vhost(engine::Journal& disk) : journal(disk) {}

  session::AmqpPropertyCodec reader;
  engine::NullJournal nothing;
  engine::Journal& journal;
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
  void remove(std::string_view queue) {
    std::size_t count = 0;
    static_cast<void>(engine.delete_queue(queue, 1, false, false, count));
  }
  // Returns the number of queues.
  std::size_t publish(std::string_view exchange, std::string_view key, std::string_view body) {
    const engine::PublishResult result = engine.publish(
        {.message = {.exchange = exchange, .routing_key = key, .properties = "\x10", .body = body},
         .traits = {.persistent = true},
         .headers = {}});
    return result.queue_count;
  }
};

// Starts a consumer that acknowledges nothing.
inline void consume(engine::Subscriptions& channel, const std::string& queue, bool no_ack = true) {
  static_cast<void>(channel.consume(queue, {.tag = queue, .no_ack = no_ack}));
  channel.start_consumer(queue);
}

}  // namespace haypile::bench
