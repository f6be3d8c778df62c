// Frames: cuts them out of received bytes, and writes them (AMQP 0-9-1, 4.2.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <haypile/amqp/types.hpp>
#include <haypile/amqp/wire.hpp>

namespace haypile::amqp {

// A frame of parsed bytes. `payload` is a view into these bytes.
struct Frame {
  FrameType type = FrameType::method;
  std::uint16_t channel = 0;
  std::string_view payload;
};

enum class FrameStatus : std::uint8_t {
  complete,
  incomplete,  // not wrong so far; ask again with more bytes
  bad_type,
  too_large,
  bad_end,
};

constexpr bool is_frame_type(std::uint8_t type) {
  return (type >= 1 && type <= 3) || type == 8;
}

// The largest payload of a frame. `frame_max` is the negotiated size of a whole frame in bytes; 0
// is no limit, as in connection.tune, any other value is at least frame_overhead.
constexpr std::uint32_t frame_payload_max(std::uint32_t frame_max) {
  return frame_max == 0 ? UINT32_MAX : frame_max - static_cast<std::uint32_t>(frame_overhead);
}

// Cuts the first frame off `input`. Sets `frame` and `consumed` (the size of the frame) only for
// `complete`. A frame whose beginning shows that it must be refused is refused before the rest of
// it arrives, so a receiver never buffers more than one frame_max.
inline FrameStatus parse_frame(std::string_view input, std::uint32_t frame_max, Frame& frame,
                               std::size_t& consumed) {
  if (input.empty()) return FrameStatus::incomplete;
  const auto type = static_cast<std::uint8_t>(input[0]);
  if (!is_frame_type(type)) return FrameStatus::bad_type;
  if (input.size() < frame_header_size) return FrameStatus::incomplete;
  const auto payload_size = wire::load<std::uint32_t>(input.data() + 3);
  if (payload_size > frame_payload_max(frame_max)) return FrameStatus::too_large;
  const std::size_t size = payload_size + frame_overhead;
  if (input.size() < size) return FrameStatus::incomplete;
  if (input[size - 1] != frame_end) return FrameStatus::bad_end;
  frame.type = static_cast<FrameType>(type);
  frame.channel = wire::load<std::uint16_t>(input.data() + 1);
  frame.payload = input.substr(frame_header_size, payload_size);
  consumed = size;
  return FrameStatus::complete;
}

// The size of a content header's payload in front of the properties.
inline constexpr std::size_t content_header_fixed_size = 12;

namespace detail {

inline char* put_frame_header(char* to, FrameType type, std::uint16_t channel,
                              std::size_t payload_size) {
  *to++ = static_cast<char>(type);
  to = wire::put(to, channel);
  return wire::put(to, static_cast<std::uint32_t>(payload_size));
}

// Makes room for `size` more bytes and returns its beginning.
inline char* extend(std::string& out, std::size_t size) {
  const std::size_t before = out.size();
  out.resize(before + size);
  return out.data() + before;
}

// `to` must have room for frame_overhead + content_header_fixed_size bytes and the properties.
// Returns the end of what was written.
inline char* put_content_header(char* to, std::uint16_t channel, std::uint16_t class_id,
                                std::uint64_t body_size, std::string_view raw_properties) {
  to = put_frame_header(to, FrameType::header, channel,
                        content_header_fixed_size + raw_properties.size());
  to = wire::put(to, class_id);
  to = wire::put(to, std::uint16_t{0});  // the weight, unused
  to = wire::put(to, body_size);
  to = wire::put_bytes(to, raw_properties.data(), raw_properties.size());
  *to++ = frame_end;
  return to;
}

// `to` must have room for frame_overhead bytes and the payload. Returns the end of what was
// written.
inline char* put_frame(char* to, FrameType type, std::uint16_t channel, std::string_view payload) {
  to = put_frame_header(to, type, channel, payload.size());
  to = wire::put_bytes(to, payload.data(), payload.size());
  *to++ = frame_end;
  return to;
}

}  // namespace detail

// The writers append whole frames to `out`. Only append_body_frames() takes care of a frame_max.
void append_frame(std::string& out, FrameType type, std::uint16_t channel,
                  std::string_view payload);

// Appends a heartbeat, always on channel 0 (AMQP 0-9-1, 4.2.7).
void append_heartbeat(std::string& out);

// `raw_properties` are the property flags and list that append_properties() writes (4.2.6.1).
void append_content_header(std::string& out, std::uint16_t channel, std::uint16_t class_id,
                           std::uint64_t body_size, std::string_view raw_properties);

// Appends as many body frames as `body` needs, none for an empty one.
void append_body_frames(std::string& out, std::uint16_t channel, std::string_view body,
                        std::uint32_t frame_max);

}  // namespace haypile::amqp
