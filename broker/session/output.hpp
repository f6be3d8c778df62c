// What waits to be sent to one client.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/message.hpp"
#include "session/spare_buffers.hpp"

namespace haypile::session {

// The beginning of an output, ready to be written at once; valid until the output is changed.
struct OutputPieces {
  static constexpr std::size_t count_max = 64;

  std::span<const std::string_view> all() const { return {pieces.data(), count}; }

  std::array<std::string_view, count_max> pieces;
  std::size_t count = 0;
  // Where one body frame ends and the next one begins.
  std::array<char, 8 * count_max> between;
  std::size_t between_size = 0;
};

// Sizes on the wire, in bytes.
struct OutputSizes {
  std::size_t all = 0;
  std::size_t deliveries = 0;  // large bodies that are deliveries
  std::size_t referenced = 0;  // large bodies, which are counted where the messages are

  OutputSizes& operator+=(const OutputSizes& other) {
    all += other.all;
    deliveries += other.deliveries;
    referenced += other.referenced;
    return *this;
  }
  OutputSizes& operator-=(const OutputSizes& other) {
    all -= other.all;
    deliveries -= other.deliveries;
    referenced -= other.referenced;
    return *this;
  }
};

// Frames in order. Small ones are copied into one piece of memory; bodies of
// referenced_min_bytes and more stay where the message has them, however many outputs they wait in,
// and are cut into frames as they are written.
class Output {
 public:
  static constexpr std::size_t referenced_min_bytes = 4096;
  // Memory that grew beyond is given away when there is nothing to send.
  static constexpr std::size_t kept_bytes = 64u << 10;

  enum class Kind : std::uint8_t { delivery, reply };

  bool empty() const { return size() == 0; }
  // As it is on the wire, in bytes.
  std::size_t size() const { return frames_.size() - head_ + body_bytes_; }
  // Of these, large bodies that are deliveries.
  std::size_t delivery_bytes() const { return delivery_bytes_; }
  OutputSizes sizes() const { return {size(), delivery_bytes_, body_bytes_}; }
  // What it takes in memory, without the messages that it refers to.
  std::size_t memory_bytes() const {
    return frames_.capacity() + bodies_.capacity() * sizeof(Body);
  }

  // Where whole frames are appended.
  std::string& frames() { return frames_; }
  // Appends the body frames of a message.
  void add_body(const engine::MessagePtr& message, std::uint16_t channel, std::uint32_t frame_max,
                Kind kind);
  // Moves all of `other` to the end.
  void append(Output&& other);

  // What is to be written next, without the first `skipped` bytes. Nothing is left out before the
  // pieces are used up.
  void look(std::size_t skipped, OutputPieces& out) const;
  // The first `size` bytes have been sent.
  void pop(std::size_t size, SpareBuffers& spares);
  // To be called now and then while it grows.
  void look_for_room(SpareBuffers& spares) {
    if (frames_.size() > kept_bytes / 2 && frames_.capacity() <= 2 * kept_bytes) {
      spares.enlarge(frames_);
    }
  }

 private:
  struct Body {
    engine::MessagePtr message;
    std::uint64_t at;  // the frames_ before it, counted from the very first one, in bytes
    std::size_t size;  // in frames
    std::uint32_t payload_max;
    std::uint16_t channel;
    Kind kind;
  };

  static bool look_at_body(const Body& body, std::size_t offset, OutputPieces& out);
  void trim(SpareBuffers& spares);

  std::string frames_;
  std::size_t head_ = 0;      // what of frames_ has been sent
  std::uint64_t popped_ = 0;  // bytes that were taken from the front of frames_
  std::vector<Body> bodies_;
  std::size_t first_body_ = 0;  // those before have been sent
  std::size_t body_sent_ = 0;   // of the first one
  std::size_t body_bytes_ = 0;
  std::size_t delivery_bytes_ = 0;
};

}  // namespace haypile::session
