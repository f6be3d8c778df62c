// Takes messages through the whole broker, a chunk at a time, and looks at all that comes back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "micro/in_process/broker.hpp"

namespace haypile::bench {

// As many messages as one read from a socket gives.
constexpr std::uint64_t chunk_size = 50;

struct Work {
  std::string_view name;
  bool persistent = true;  // and confirmed
  bool consumed = true;
  bool acked = true;
  bool by_topic = false;
  std::uint64_t ring_size = 8u << 20;
};

inline constexpr Work works[] = {
    {.name = "persistent"},
    {.name = "transient", .persistent = false, .acked = false},
    // More than the ring has room for: most of it moves to piles.
    {.name = "fill", .consumed = false, .ring_size = 2u << 20},
    {.name = "topic", .by_topic = true},
};

// Throws std::runtime_error if anything is not as it should be.
class Run {
 public:
  explicit Run(const Work& work);

  // Messages in, messages out: `chunk_size` of them.
  void step() {
    publish();
    deliver();
    write_log();
    confirm();
    acknowledge();
  }
  // The same one by one, for those who want to know how long each takes.
  void publish();    // parsed, routed, in the queue and in the log's batch
  void deliver();    // what went to the consumer is fetched
  void write_log();  // what the log's thread does, without a disk
  void confirm();
  void acknowledge();
  // That all went its way.
  void check();

 private:
  void declare();
  std::string routing_key(std::uint64_t i) const;
  void make_bytes();
  std::string_view acks();
  void check_confirm(std::string_view bytes) const;
  // Messages the queue should have.
  std::uint64_t left() const { return work_.consumed ? 0 : published_; }

  const Work& work_;
  Broker broker_;
  Client publisher_;
  Client consumer_;
  std::string publishes_;
  std::string acks_;
  std::size_t deliveries_size_ = 0;
  std::uint64_t published_ = 0;
};

}  // namespace haypile::bench
