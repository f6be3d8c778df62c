// One channel as the protocol sees it: what came and was not handled yet.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <haypile/amqp/types.hpp>
#include <haypile/message.hpp>

#include "message_builder.hpp"

namespace haypile {

// Why a channel or a connection was closed.
struct CloseReason {
  std::uint16_t code = 0;
  std::string text;
  std::string method;
};

// The answer to a method; `message` is set for basic.get-ok only.
struct Reply {
  amqp::MethodId id;
  std::string arguments;
  std::optional<Message> message;
};

// The messages that the broker has not confirmed yet. Their numbers rise by one, so a window of
// flags is enough.
class Unconfirmed {
 public:
  bool enabled() const { return enabled_; }
  void enable() { enabled_ = true; }
  // Returns the number of the message that is published now.
  std::uint64_t add() {
    window_.push_back(true);
    ++count_;
    return first_ + window_.size() - 1;
  }
  // Returns false if no message has this number.
  bool settle(std::uint64_t tag, bool multiple, bool confirmed);
  std::size_t count() const { return count_; }
  // Whether a message was refused since the last call.
  bool take_refused() { return std::exchange(refused_, false); }

 private:
  std::deque<bool> window_;  // the first one has the number first_; true: unconfirmed
  std::uint64_t first_ = 1;
  std::size_t count_ = 0;
  bool enabled_ = false;
  bool refused_ = false;
};

// The state of one channel. It is open if neither `closed` nor `closing` is set.
struct ProtocolChannel {
  std::optional<CloseReason> closed;  // the broker closed it
  bool closing = false;               // we close it; the broker's answer releases the number
  std::optional<Reply> reply;
  std::deque<Message> deliveries;
  std::deque<Message> returned;
  std::vector<std::string> cancelled;  // consumer tags that the broker cancelled
  Unconfirmed unconfirmed;

  // The incoming message, and which frame of it comes next.
  enum class Content : std::uint8_t { none, header, body };
  Content content = Content::none;
  amqp::MethodId content_of;
  MessageBuilder builder;
};

}  // namespace haypile
