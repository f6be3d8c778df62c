// Assembles a Message from the frames in which it comes.
#pragma once

#include <cstdint>
#include <string_view>

#include <haypile/message.hpp>

namespace haypile {

// Assembles one message after the other.
class MessageBuilder {
 public:
  // Call begin(), then header(), then body() for each body frame, until complete().
  void begin(std::string_view exchange, std::string_view routing_key) {
    message_ = {};
    message_.bytes_.reserve(256);
    message_.bytes_ += exchange;
    message_.bytes_ += routing_key;
    message_.exchange_size_ = exchange.size();
    message_.routing_key_size_ = routing_key.size();
  }
  void header(std::string_view raw_properties, std::uint64_t body_size) {
    message_.bytes_ += raw_properties;
    message_.properties_size_ = raw_properties.size();
    missing_ = body_size;
  }
  // Returns false if the body gets longer than header() said.
  bool body(std::string_view part) {
    if (part.size() > missing_) return false;
    message_.bytes_ += part;
    missing_ -= part.size();
    return true;
  }
  bool complete() const { return missing_ == 0; }
  Message& message() { return message_; }

 private:
  Message message_;
  std::uint64_t missing_ = 0;
};

}  // namespace haypile
