// The output that waits to be sent to one client.
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

// The beginning of an output, as pieces for one gathered write; valid until the output changes.
struct OutputPieces {
  static constexpr std::size_t count_max = 64;

  std::span<const std::string_view> all() const { return {pieces.data(), count}; }

  std::array<std::string_view, count_max> pieces;
  std::size_t count = 0;
  // The ends and headers of frames between the parts of a body.
  std::array<char, 8 * count_max> between;
  std::size_t between_size = 0;
};

// Sizes on the wire, in bytes.
struct OutputSizes {
  std::size_t all = 0;
  std::size_t deliveries = 0;  // bodies of large deliveries
  std::size_t referenced = 0;  // large bodies; the engine counts their memory

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

// The frames that wait to be sent, in order. Small frames are copied into one buffer. Bodies of
// referenced_min_bytes and more stay in their message, in however many outputs they wait, and are
// cut into frames as they are written.
class Output {
 public:
  static constexpr std::size_t referenced_min_bytes = 4096;
  // A larger buffer is given away when there is nothing to send.
  static constexpr std::size_t kept_bytes = 64u << 10;

  enum class Kind : std::uint8_t { delivery, reply };

  bool empty() const { return size() == 0; }
  // Size on the wire, in bytes.
  std::size_t size() const { return frames_.size() - head_ + body_bytes_; }
  // The part of size() that is bodies of large deliveries.
  std::size_t delivery_bytes() const { return delivery_bytes_; }
  OutputSizes sizes() const { return {size(), delivery_bytes_, body_bytes_}; }
  // The memory of the output, without the messages that it references.
  std::size_t memory_bytes() const {
    return frames_.capacity() + bodies_.capacity() * sizeof(Body);
  }

  // The buffer to which whole frames are appended.
  std::string& frames() { return frames_; }
  // Appends the body frames of a message; `frame_max` is in bytes.
  void add_body(const engine::MessagePtr& message, std::uint16_t channel, std::uint32_t frame_max,
                Kind kind);
  // Moves all of `other` to the end. Nothing of `other` may have been sent.
  void append(Output&& other);

  // Sets `out` to what is to be written next, without the first `skipped` bytes. It has no gaps and
  // ends where the pieces are used up.
  void look(std::size_t skipped, OutputPieces& out) const;
  // Removes the first `size` bytes, which have been sent. A large empty buffer goes to `spares`.
  void pop(std::size_t size, SpareBuffers& spares);
  // Call this now and then while the output grows: it moves frames to a larger spare buffer.
  void look_for_room(SpareBuffers& spares) {
    if (frames_.size() > kept_bytes / 2 && frames_.capacity() <= 2 * kept_bytes) {
      spares.enlarge(frames_);
    }
  }

 private:
  struct Body {
    engine::MessagePtr message;
    std::uint64_t at;  // bytes of frames_ in front of it, including those removed since
    std::size_t size;  // on the wire, in bytes
    std::uint32_t payload_max;
    std::uint16_t channel;
    Kind kind;
  };

  static bool look_at_body(const Body& body, std::size_t offset, OutputPieces& out);
  void trim(SpareBuffers& spares);

  std::string frames_;
  std::size_t head_ = 0;      // bytes of frames_ that have been sent
  std::uint64_t popped_ = 0;  // bytes that were removed from the front of frames_
  std::vector<Body> bodies_;
  std::size_t first_body_ = 0;  // the bodies before it have been sent
  std::size_t body_sent_ = 0;   // bytes of the first body that have been sent
  std::size_t body_bytes_ = 0;
  std::size_t delivery_bytes_ = 0;
};

}  // namespace haypile::session
