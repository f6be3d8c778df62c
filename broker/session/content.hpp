// An incoming message, assembled from its method, header and body frames.
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

// Checks the order of the frames: basic.publish, header, then as many body frames as the size needs
// (AMQP 0-9-1, 4.2.6); any other order is a fault. Keeps names and properties of the message, but
// not its body: the caller takes that from the frames. Small buffers are reused for the next
// message.
class Content {
 public:
  enum class Expects : std::uint8_t { method, header, body };
  Expects expects() const { return expects_; }

  // Copies what it needs from `method`.
  void begin(const amqp::basic::Publish& method);
  // `size_max` is the largest body that is accepted, in bytes.
  Fault header(std::string_view payload, std::uint64_t size_max);
  Fault body(std::string_view payload);
  // Whether the last header or body frame has completed the message. Returns true once a message.
  bool take_complete() { return std::exchange(complete_, false); }
  // Releases memory that the next message probably does not need.
  void shrink();

  // The current message, valid until the next one begins.
  std::string_view exchange() const { return {names_.data(), exchange_size_}; }
  std::string_view routing_key() const {
    return {names_.data() + exchange_size_, routing_key_size_};
  }
  bool mandatory() const { return mandatory_; }
  const amqp::Properties& properties() const { return properties_; }
  std::string_view raw_properties() const { return raw_properties_; }
  // The size that the header declares, in bytes.
  std::uint64_t body_size() const { return body_size_; }
  // The part of the body that has not come yet, in bytes.
  std::uint64_t body_left() const { return body_left_; }
  // Whether no part of the body has come yet.
  bool is_body_untouched() const { return body_left_ == body_size_; }

 private:
  Expects expects_ = Expects::method;
  bool complete_ = false;
  bool mandatory_ = false;
  std::size_t exchange_size_ = 0;
  std::size_t routing_key_size_ = 0;
  std::array<char, 2 * amqp::short_string_size_max> names_;  // the exchange, then the routing key
  std::string raw_properties_;
  amqp::Properties properties_;  // views into raw_properties_
  std::uint64_t body_size_ = 0;
  std::uint64_t body_left_ = 0;
};

}  // namespace haypile::session
