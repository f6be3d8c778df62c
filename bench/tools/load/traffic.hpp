// Publishers and consumers that need little time themselves: frames are prepared once and copied,
// and what comes back is read only as far as necessary to count and acknowledge it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/io/poller.hpp"
#include "tools/load/histogram.hpp"
#include "tools/load/link.hpp"

namespace haypile::bench::load {

// A connection with traffic, for a Poller.
struct Peer : Pollable {
  explicit Peer(const Address& address) : link(address) {}
  Stream& stream() final { return link; }

  Link link;
};

// Publishes messages with one routing key, and counts their confirms.
class Publisher final : public Peer {
 public:
  struct Options {
    std::string exchange;
    std::string routing_key;
    std::size_t size_bytes = 100;
    bool persistent = true;
    std::size_t confirm_window = 1000;  // 0: no confirms
  };
  Publisher(const Address& address, const Options& options);

  void receive() override;
  // Publishes up to `count` messages, as many as the window and the socket have room for. The first
  // is stamped with `time_ns`, each following one `step_ns` later. Returns how many were published.
  std::uint64_t publish(std::uint64_t count, std::uint64_t time_ns, std::uint64_t step_ns);
  bool has_room() const;

  std::uint64_t published_count() const { return published_count_; }
  std::uint64_t confirmed_count() const { return confirmed_count_; }
  // The time from the stamp to the confirm.
  Histogram confirm_latency;
  bool measures = false;

 private:
  void confirm(std::uint64_t tag, bool multiple);

  const Options options_;
  std::string frames_;        // the frames of one message
  std::size_t stamp_at_ = 0;  // its place in frames_; 0: there is no room for a stamp
  std::uint64_t published_count_ = 0;
  std::uint64_t confirmed_count_ = 0;
  std::vector<std::uint64_t> stamps_;  // indexed by delivery tag, modulo the size
};

// Consumes a queue, acknowledges, and counts.
class Consumer final : public Peer {
 public:
  struct Options {
    std::string queue;
    std::uint16_t prefetch_count = 1000;
    std::size_t ack_every = 1;  // 0: automatic acknowledgements
  };
  Consumer(const Address& address, const Options& options);

  void receive() override;
  std::uint64_t consumed_count() const { return consumed_count_; }
  // The time from the stamp to the delivery.
  Histogram latency;
  bool measures = false;

 private:
  void take(amqp::FrameType type, std::string_view payload, std::uint64_t now);
  void finish(std::uint64_t now);
  void acknowledge();

  const Options options_;
  std::string ack_;  // the frame of one basic.ack
  std::uint64_t consumed_count_ = 0;
  std::uint64_t tag_ = 0;
  std::uint64_t body_left_ = 0;
  bool is_first_body_ = false;
  std::uint64_t stamp_ = 0;
  std::size_t unacked_count_ = 0;
};

}  // namespace haypile::bench::load
