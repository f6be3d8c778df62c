// Assembles a Message from the frames in which it comes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include <haypile/message.hpp>

namespace haypile {

// Assembles one message after the other.
class MessageBuilder {
 public:
  // Call begin(), then header(), then body() for each body frame, until complete(). `note` is the
  // consumer tag or the reply text. All three are short strings.
  void begin(std::string_view exchange, std::string_view routing_key, std::string_view note) {
    message_ = {};
    message_.bytes_.reserve(small_message_bytes);
    message_.bytes_.append(exchange).append(routing_key).append(note);
    message_.exchange_size_ = static_cast<std::uint8_t>(exchange.size());
    message_.routing_key_size_ = static_cast<std::uint8_t>(routing_key.size());
    message_.note_size_ = static_cast<std::uint8_t>(note.size());
  }
  void header(std::string_view raw_properties, std::uint64_t body_size) {
    // Nobody reserves what a broker only says that it will send.
    const std::uint64_t expected = std::min<std::uint64_t>(body_size, reserve_max_bytes);
    message_.bytes_.reserve(message_.bytes_.size() + raw_properties.size() +
                            static_cast<std::size_t>(expected));
    message_.bytes_ += raw_properties;
    message_.properties_size_ = static_cast<std::uint32_t>(raw_properties.size());
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
  static constexpr std::size_t small_message_bytes = 256;
  static constexpr std::uint64_t reserve_max_bytes = 128u << 10;

  Message message_;
  std::uint64_t missing_ = 0;
};

}  // namespace haypile
