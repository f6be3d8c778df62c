// Takes apart what a client has sent.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

namespace haypile {

// Moves the first frame from `bytes` to `kept`, which it is a view of. Returns false if it is not
// complete.
inline bool take_frame(std::string& bytes, std::string& kept, amqp::Frame& frame) {
  std::size_t size = 0;
  if (amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::incomplete) return false;
  kept = bytes.substr(0, size);
  bytes.erase(0, size);
  REQUIRE(amqp::parse_frame(kept, 0, frame, size) == amqp::FrameStatus::complete);
  return true;
}

// The method M that the frame has to be.
template <class M>
M method_of(const amqp::Frame& frame, std::uint16_t channel) {
  CHECK(frame.channel == channel);
  REQUIRE(amqp::peek_method_id(frame.payload) == M::id);
  M method;
  REQUIRE(amqp::decode_arguments(frame.payload.substr(amqp::method_id_size), method) ==
          amqp::DecodeError::none);
  return method;
}

}  // namespace haypile
