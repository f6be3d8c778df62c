#include <haypile/amqp/frame.hpp>

#include <algorithm>

namespace haypile::amqp {

void append_frame(std::string& out, FrameType type, std::uint16_t channel,
                  std::string_view payload) {
  char* to = detail::extend(out, frame_overhead + payload.size());
  detail::put_frame(to, type, channel, payload);
}

void append_heartbeat(std::string& out) {
  append_frame(out, FrameType::heartbeat, 0, {});
}

void append_content_header(std::string& out, std::uint16_t channel, std::uint16_t class_id,
                           std::uint64_t body_size, std::string_view raw_properties) {
  char* to =
      detail::extend(out, frame_overhead + content_header_fixed_size + raw_properties.size());
  detail::put_content_header(to, channel, class_id, body_size, raw_properties);
}

void append_body_frames(std::string& out, std::uint16_t channel, std::string_view body,
                        std::uint32_t frame_max) {
  const std::size_t payload_max = frame_payload_max(frame_max);
  while (!body.empty()) {
    const std::string_view payload = body.substr(0, payload_max);
    append_frame(out, FrameType::body, channel, payload);
    body.remove_prefix(payload.size());
  }
}

}  // namespace haypile::amqp
