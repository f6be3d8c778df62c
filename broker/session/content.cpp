#include "session/content.hpp"

namespace haypile::session {

namespace {
// A buffer that grew beyond is not kept for the next message.
constexpr std::size_t kept_max_bytes = 1024;
}  // namespace

void Content::begin(const amqp::basic::Publish& method) {
  names_.assign(method.exchange);
  names_ += method.routing_key;
  exchange_size_ = method.exchange.size();
  mandatory_ = method.mandatory;
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
            "message size " + std::to_string(header.body_size) +
                " is larger than configured max size " + std::to_string(size_max)};
  }
  body_size_ = body_left_ = header.body_size;
  complete_ = body_size_ == 0;
  if (!complete_) expects_ = Expects::body;
  return {};
}

Fault Content::body(std::string_view payload) {
  if (expects_ != Expects::body) {
    return {amqp::ReplyCode::unexpected_frame, "content body without a header before it"};
  }
  if (payload.size() > body_left_) {
    return {amqp::ReplyCode::unexpected_frame,
            "content body longer than the " + std::to_string(body_size_) + " bytes declared"};
  }
  body_left_ -= payload.size();
  if (body_left_ > 0) return {};
  complete_ = true;
  expects_ = Expects::method;
  return {};
}

void Content::shrink() {
  if (raw_properties_.capacity() <= kept_max_bytes) return;
  std::string().swap(raw_properties_);
  properties_ = {};
}

}  // namespace haypile::session
