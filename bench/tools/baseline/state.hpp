// The state of the loop: connections, their channels, and queues that are only lists of consumers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/types.hpp>

#include "tools/baseline/buffer.hpp"

namespace haypile::bench::baseline {

inline constexpr std::uint32_t frame_max = 131072;
inline constexpr std::uint16_t channel_max = 2047;
inline constexpr std::size_t receive_size_max = 256u << 10;

struct Connection;
struct Channel;

struct Consumer {
  Connection* connection = nullptr;
  Channel* channel = nullptr;
  std::string tag;
  // A whole basic.deliver frame without the delivery tag, and the place of that tag.
  std::string deliver;
  std::size_t delivery_tag_offset = 0;
};

struct Queue {
  std::string name;
  std::vector<Consumer> consumers;
  std::size_t next = 0;
};

// A channel lives as long as its connection, also when it is closed.
struct Channel {
  enum class Expected : std::uint8_t { method, header, body };

  std::uint16_t number = 0;
  bool open = false;
  bool confirm = false;
  // Whether it is in the list of channels with publishes in this turn.
  bool noted = false;
  Expected expected = Expected::method;
  std::uint64_t publish_count = 0;
  std::uint64_t delivery_count = 0;

  // The key of the last publish and its queue; null if there is no such queue.
  std::string key;
  Queue* queue = nullptr;

  // The incoming message. `properties` keeps its memory for the next message; `body` is used only
  // if the body comes in several frames.
  std::string properties;
  std::string body;
  std::uint64_t body_size = 0;
};

struct Connection {
  explicit Connection(int descriptor)
      : socket(descriptor), inbox(new char[receive_size_max + frame_max]) {}

  int socket;
  // Has room for one receive after an incomplete frame.
  std::unique_ptr<char[]> inbox;
  std::size_t inbox_size = 0;
  Buffer outbox;
  bool touched = false;   // there may be something to send in this turn
  bool blocked = false;   // the socket takes no more; wait for it
  bool greeted = false;   // the protocol header has come
  bool finished = false;  // close it when the outbox is empty; input is ignored
  bool closed = false;    // the socket is closed
  std::size_t body_frame_max = frame_max - amqp::frame_overhead;
  std::vector<std::unique_ptr<Channel>> channels;
  std::uint64_t made_tags = 0;
};

}  // namespace haypile::bench::baseline
