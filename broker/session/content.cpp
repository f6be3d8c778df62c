#include "session/content.hpp"

#include <algorithm>

namespace haypile::session {

namespace {
// A header may claim what never comes: no more than this is set aside before the bytes are there.
constexpr std::uint64_t reserve_max_bytes = 1u << 20;
// A buffer that grew beyond is not kept for the next message.
constexpr std::size_t keep_max_bytes = 64u << 10;
}  // namespace

void Content::begin(const amqp::basic::Publish& method) {
  names_.assign(method.exchange);
  names_ += method.routing_key;
  exchange_size_ = method.exchange.size();
  mandatory_ = method.mandatory;
  if (buffer_.capacity() > keep_max_bytes) buffer_ = {};
  buffer_.clear();
  expects_ = Expects::header;
}

Fault Content::header(std::string_view payload, std::uint64_t size_max) {
  if (expects_ != Expects::header) {
    return {amqp::ReplyCode::unexpected_frame, "content header without a method that carries one"};
  }
  amqp::ContentHeader header;
  const amqp::DecodeError error = amqp::decode_content_header(payload, header);
  if (error == amqp::DecodeError::bad_value) {
    return {amqp::ReplyCode::unexpected_frame, "content header with a weight other than 0"};
  }
  if (error != amqp::DecodeError::none) {
    return malformed("content header", error);
  }
  if (header.class_id != amqp::basic::Publish::id.class_id) {
    return {amqp::ReplyCode::unexpected_frame,
            "content header of class " + std::to_string(header.class_id) + ", expected 60"};
  }
  raw_properties_.assign(header.raw_properties);
  const amqp::DecodeError bad = amqp::decode_properties(raw_properties_, properties_);
  if (bad != amqp::DecodeError::none) {
    return {amqp::ReplyCode::syntax_error, "malformed properties: " + std::string(amqp::text(bad))};
  }
  expects_ = Expects::method;
  if (header.body_size > size_max) {
    return {amqp::ReplyCode::precondition_failed,
            "message size " + std::to_string(header.body_size) + " is larger than the maximum of " +
                std::to_string(size_max)};
  }
  body_size_ = header.body_size;
  body_ = {};
  complete_ = body_size_ == 0;
  if (!complete_) expects_ = Expects::body;
  return {};
}

Fault Content::body(std::string_view payload) {
  if (expects_ != Expects::body) {
    return {amqp::ReplyCode::unexpected_frame, "content body without a header before it"};
  }
  if (payload.size() > body_size_ - buffer_.size()) {
    return {amqp::ReplyCode::unexpected_frame,
            "content body longer than the " + std::to_string(body_size_) + " bytes declared"};
  }
  if (payload.size() == body_size_) {
    body_ = payload;
  } else {
    if (buffer_.empty()) buffer_.reserve(std::min(body_size_, reserve_max_bytes));
    buffer_ += payload;
    if (buffer_.size() < body_size_) return {};
    body_ = buffer_;
  }
  complete_ = true;
  expects_ = Expects::method;
  return {};
}

bool Content::take_complete() {
  return std::exchange(complete_, false);
}

}  // namespace haypile::session
