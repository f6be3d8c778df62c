// A message on its way in: method, header and body frames put together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <haypile/amqp/methods/basic.hpp>
#include <haypile/amqp/properties.hpp>

#include "session/fault.hpp"

namespace haypile::session {

// Frames come in the order basic.publish, header, as many body frames as the size asks for (AMQP
// 0-9-1, 4.2.6); anything else is a fault. The body itself is not kept: whoever wants it takes its
// pieces. Small buffers are kept from message to message.
class Content {
 public:
  enum class Expects : std::uint8_t { method, header, body };
  Expects expects() const { return expects_; }

  // Copies what it needs.
  void begin(const amqp::basic::Publish& method);
  // `size_max` is the largest body that is taken, in bytes.
  Fault header(std::string_view payload, std::uint64_t size_max);
  Fault body(std::string_view payload);
  // All is here: header or body was the last frame. Answers true once a message.
  bool take_complete() { return std::exchange(complete_, false); }
  // Gives back memory that the next message will hardly need.
  void shrink();

  // Of the message at hand, valid until the next one begins.
  std::string_view exchange() const { return {names_.data(), exchange_size_}; }
  std::string_view routing_key() const {
    return {names_.data() + exchange_size_, routing_key_size_};
  }
  bool mandatory() const { return mandatory_; }
  const amqp::Properties& properties() const { return properties_; }
  std::string_view raw_properties() const { return raw_properties_; }
  // As declared, in bytes.
  std::uint64_t body_size() const { return body_size_; }
  // What is still to come of it.
  std::uint64_t body_left() const { return body_left_; }
  // No part of the body has come.
  bool is_body_untouched() const { return body_left_ == body_size_; }

 private:
  Expects expects_ = Expects::method;
  bool complete_ = false;
  bool mandatory_ = false;
  std::size_t exchange_size_ = 0;
  std::size_t routing_key_size_ = 0;
  std::array<char, 2 * amqp::short_string_size_max> names_;  // one behind the other
  std::string raw_properties_;
  amqp::Properties properties_;  // views into raw_properties_
  std::uint64_t body_size_ = 0;
  std::uint64_t body_left_ = 0;
};

}  // namespace haypile::session
