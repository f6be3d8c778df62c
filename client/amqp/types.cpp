#include <haypile/amqp/types.hpp>

namespace haypile::amqp {

std::string_view name(ReplyCode code) {
  switch (code) {
    case ReplyCode::reply_success:
      return "REPLY_SUCCESS";
    case ReplyCode::content_too_large:
      return "CONTENT_TOO_LARGE";
    case ReplyCode::no_route:
      return "NO_ROUTE";
    case ReplyCode::no_consumers:
      return "NO_CONSUMERS";
    case ReplyCode::connection_forced:
      return "CONNECTION_FORCED";
    case ReplyCode::invalid_path:
      return "INVALID_PATH";
    case ReplyCode::access_refused:
      return "ACCESS_REFUSED";
    case ReplyCode::not_found:
      return "NOT_FOUND";
    case ReplyCode::resource_locked:
      return "RESOURCE_LOCKED";
    case ReplyCode::precondition_failed:
      return "PRECONDITION_FAILED";
    case ReplyCode::frame_error:
      return "FRAME_ERROR";
    case ReplyCode::syntax_error:
      return "SYNTAX_ERROR";
    case ReplyCode::command_invalid:
      return "COMMAND_INVALID";
    case ReplyCode::channel_error:
      return "CHANNEL_ERROR";
    case ReplyCode::unexpected_frame:
      return "UNEXPECTED_FRAME";
    case ReplyCode::resource_error:
      return "RESOURCE_ERROR";
    case ReplyCode::not_allowed:
      return "NOT_ALLOWED";
    case ReplyCode::not_implemented:
      return "NOT_IMPLEMENTED";
    case ReplyCode::internal_error:
      return "INTERNAL_ERROR";
  }
  return "UNKNOWN";
}

bool is_connection_error(ReplyCode code) {
  switch (code) {
    case ReplyCode::reply_success:
    case ReplyCode::content_too_large:
    case ReplyCode::no_route:
    case ReplyCode::no_consumers:
    case ReplyCode::access_refused:
    case ReplyCode::not_found:
    case ReplyCode::resource_locked:
    case ReplyCode::precondition_failed:
      return false;
    default:
      return true;
  }
}

std::string_view text(DecodeError error) {
  switch (error) {
    case DecodeError::none:
      return "no error";
    case DecodeError::truncated:
      return "field cut off";
    case DecodeError::trailing_bytes:
      return "bytes after the last field";
    case DecodeError::bad_value:
      return "value not allowed";
    case DecodeError::unknown_tag:
      return "table value of unknown type";
    case DecodeError::too_deep:
      return "tables nested too deeply";
    case DecodeError::too_many:
      return "table with too many values";
    case DecodeError::unknown_method:
      return "unknown method";
  }
  return "unknown error";
}

std::string_view clip_short_string(std::string_view value) {
  if (fits_short_string(value)) return value;
  const auto continues = [](char octet) { return (static_cast<unsigned char>(octet) >> 6) == 2; };
  std::size_t size = short_string_size_max;
  // A UTF-8 character has at most three octets after its first. With more of them it is not UTF-8.
  for (int i = 0; i < 3 && continues(value[size]); ++i)
    --size;
  return value.substr(0, size);
}

}  // namespace haypile::amqp
