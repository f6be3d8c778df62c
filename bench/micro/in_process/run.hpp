// Takes messages through the whole broker, in chunks, and checks everything that comes back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "micro/in_process/broker.hpp"

namespace haypile::bench {

// The number of messages that one read from a socket brings.
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
    // More messages than the ring has room for: most of them move to piles.
    {.name = "fill", .consumed = false, .ring_size = 2u << 20},
    {.name = "topic", .by_topic = true},
};

// Runs one kind of work. Throws std::runtime_error if anything is not as expected.
class Run {
 public:
  explicit Run(const Work& work);

  // Takes `chunk_size` messages in and out.
  void step() {
    publish();
    deliver();
    write_log();
    confirm();
    acknowledge();
  }
  // The parts of step(), for measuring the time of each.
  void publish();    // parsed, routed, appended to the queue and to the log's batch
  void deliver();    // reads what was sent to the consumer
  void write_log();  // does the work of the log's thread, without a disk
  void confirm();
  void acknowledge();
  // Checks that everything was handled.
  void check();

 private:
  void declare();
  std::string routing_key(std::uint64_t i) const;
  void make_bytes();
  std::string_view acks();
  void check_confirm(std::string_view bytes) const;
  // The number of messages that the queue should have.
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
