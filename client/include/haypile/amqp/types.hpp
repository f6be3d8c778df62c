// The constants of AMQP 0-9-1: frame types, method ids and reply codes; and the errors of decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <haypile/config.hpp>

namespace haypile::amqp {

// What a client sends first, and what a server answers to any other version (4.2.2).
inline constexpr std::string_view protocol_header{"AMQP\x00\x00\x09\x01", 8};

inline constexpr char frame_end = '\xCE';
// Type, channel and size in front of the payload, and the end octet behind it (4.2.3).
inline constexpr std::size_t frame_header_size = 7;
inline constexpr std::size_t frame_overhead = frame_header_size + 1;
// The frame size that every peer must accept before and after tuning (constant frame-min-size).
inline constexpr std::uint32_t frame_min_size = 4096;
inline constexpr std::size_t short_string_size_max = 255;

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

// The two numbers of a method; {0, 0} is no method.
struct MethodId {
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
  bool operator==(const MethodId&) const = default;
};

// A field of the type longstr, whose length has four octets; std::string_view stands for shortstr,
// whose length has one. It is a view, like all strings of the codec.
struct LongString : std::string_view {
  using std::string_view::string_view;
  constexpr LongString() = default;
  constexpr LongString(std::string_view text) : std::string_view(text) {}
  LongString(const std::string& text) : std::string_view(text) {}
};

// The constants of section 1.1, with codes of earlier versions that RabbitMQ still uses.
enum class ReplyCode : std::uint16_t {
  reply_success = 200,
  content_too_large = 311,
  no_route = 312,
  no_consumers = 313,
  connection_forced = 320,
  invalid_path = 402,
  access_refused = 403,
  not_found = 404,
  resource_locked = 405,
  precondition_failed = 406,
  frame_error = 501,
  syntax_error = 502,
  command_invalid = 503,
  channel_error = 504,
  unexpected_frame = 505,
  resource_error = 506,
  not_allowed = 530,
  not_implemented = 540,
  internal_error = 541,
};

// The name in reply texts, such as "NOT_FOUND"; "UNKNOWN" for a number that the specification does
// not have.
std::string_view name(ReplyCode code);

// Whether the code closes the whole connection (a "hard error") and not only one channel. A number
// that the specification does not have closes the connection.
bool is_connection_error(ReplyCode code);

enum class DecodeError : std::uint8_t {
  none,
  truncated,       // a field is longer than its frame, table or array
  trailing_bytes,  // something is left after the last field
  bad_value,       // the specification does not allow the value
  unknown_tag,     // a table has a value of an unknown type
  too_deep,        // tables and arrays are nested deeper than table_depth_max
  too_many,        // a table has more than table_node_count_max values, including nested ones
  unknown_method,
};

// A phrase for reply texts and logs, such as "field cut off".
std::string_view text(DecodeError error);

inline constexpr bool fits_short_string(std::string_view value) {
  return value.size() <= short_string_size_max;
}

// The longest beginning of `value` that fits into a short string and does not cut a UTF-8 character
// in two. It is for reply texts, which quote names of up to 255 bytes.
std::string_view clip_short_string(std::string_view value);

}  // namespace haypile::amqp
