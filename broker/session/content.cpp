#include "session/content.hpp"

#include <cassert>

#include <haypile/amqp/wire.hpp>

#include "session/refusals.hpp"

namespace haypile::session {

namespace {
// A larger buffer is not kept for the next message.
constexpr std::size_t kept_max_bytes = 1024;
}  // namespace

void Content::begin(const amqp::basic::Publish& method) {
  exchange_size_ = method.exchange.size();
  routing_key_size_ = method.routing_key.size();
  assert(exchange_size_ + routing_key_size_ <= names_.size());
  char* to = amqp::wire::put_bytes(names_.data(), method.exchange.data(), exchange_size_);
  amqp::wire::put_bytes(to, method.routing_key.data(), routing_key_size_);
  mandatory_ = method.mandatory;
  expects_ = Expects::header;
}

Fault Content::header(std::string_view payload, std::uint64_t size_max) {
  if (expects_ != Expects::header) return refusals::header_without_method();
  amqp::ContentHeader header;
  const amqp::DecodeError error = amqp::decode_content_header(payload, header);
  if (error != amqp::DecodeError::none) return refusals::malformed_header(error);
  if (header.class_id != amqp::basic::Publish::id.class_id) {
    return refusals::wrong_class(header.class_id);
  }
  raw_properties_.assign(header.raw_properties);
  const amqp::DecodeError bad = amqp::decode_properties(raw_properties_, properties_);
  if (bad != amqp::DecodeError::none) return refusals::malformed_properties(bad);
  expects_ = Expects::method;
  if (header.body_size > size_max) return refusals::message_too_large(header.body_size, size_max);
  body_size_ = body_left_ = header.body_size;
  complete_ = body_size_ == 0;
  if (!complete_) expects_ = Expects::body;
  return {};
}

Fault Content::body(std::string_view payload) {
  if (expects_ != Expects::body) return refusals::body_without_header();
  if (payload.size() > body_left_) return refusals::body_too_long(body_size_);
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
