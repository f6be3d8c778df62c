#include <haypile/amqp/frame.hpp>

#include <algorithm>

namespace haypile::amqp {

void append_frame(std::string& out, FrameType type, std::uint16_t channel,
                  std::string_view payload) {
  char* to = detail::extend(out, frame_overhead + payload.size());
  to = detail::put_frame_header(to, type, channel, payload.size());
  to = wire::put_bytes(to, payload.data(), payload.size());
  *to = frame_end;
}

void append_heartbeat(std::string& out) {
  append_frame(out, FrameType::heartbeat, 0, {});
}

void append_content_header(std::string& out, std::uint16_t channel, std::uint16_t class_id,
                           std::uint64_t body_size, std::string_view raw_properties) {
  constexpr std::size_t fixed_size = 12;
  const std::size_t payload_size = fixed_size + raw_properties.size();
  char* to = detail::extend(out, frame_overhead + payload_size);
  to = detail::put_frame_header(to, FrameType::header, channel, payload_size);
  to = wire::put(to, class_id);
  to = wire::put(to, std::uint16_t{0});  // weight, unused
  to = wire::put(to, body_size);
  to = wire::put_bytes(to, raw_properties.data(), raw_properties.size());
  *to = frame_end;
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
