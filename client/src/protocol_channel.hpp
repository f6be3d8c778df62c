// One channel as the protocol sees it: what came and has not been looked at.
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

// Why a channel or a connection is no more.
struct CloseReason {
  std::uint16_t code = 0;
  std::string text;
  std::string method;
};

// The answer to a method that has one; the message is that of a basic.get-ok.
struct Reply {
  amqp::MethodId id;
  std::string arguments;
  std::optional<Message> message;
};

// Which messages the broker has not confirmed yet. Numbers rise by one, so a window does.
class Unconfirmed {
 public:
  bool enabled() const { return enabled_; }
  void enable() { enabled_ = true; }
  // The number of the message that is published now.
  std::uint64_t add() {
    window_.push_back(true);
    ++count_;
    return first_ + window_.size() - 1;
  }
  // False: no such message.
  bool settle(std::uint64_t tag, bool multiple, bool confirmed);
  std::size_t count() const { return count_; }
  // Whether one was refused since the last call.
  bool take_refused() { return std::exchange(refused_, false); }

 private:
  std::deque<bool> window_;  // whether each is unconfirmed
  std::uint64_t first_ = 1;
  std::size_t count_ = 0;
  bool enabled_ = false;
  bool refused_ = false;
};

struct ProtocolChannel {
  std::optional<CloseReason> closed;  // by the broker
  bool closing = false;               // by us; the answer makes the number free again
  std::optional<Reply> reply;
  std::deque<Message> deliveries;
  std::deque<Message> returned;
  std::vector<std::string> cancelled;  // consumer tags, by the broker
  Unconfirmed unconfirmed;

  // Content on its way in.
  enum class Content : std::uint8_t { none, header, body };
  Content content = Content::none;
  amqp::MethodId content_of;
  MessageBuilder builder;
};

}  // namespace haypile
