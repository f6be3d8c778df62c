// One channel as the protocol sees it.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include <haypile/amqp/types.hpp>

#include "event.hpp"
#include "message_builder.hpp"

namespace haypile {

// A request that waits for its answer. A broker answers the requests of a channel in their order.
struct PendingRequest {
  RequestId id = 0;
  amqp::MethodId answer;
  amqp::MethodId other_answer;                                // the same one if there is no other
  bool (*well_formed)(std::string_view arguments) = nullptr;  // for `answer`
};

// The state of one channel.
struct ProtocolChannel {
  bool closing = false;  // we close it, and the broker has not answered yet
  std::deque<PendingRequest> requests;

  // Whether messages are confirmed, and how many were published since.
  bool confirming = false;
  std::uint64_t published_count = 0;

  // The incoming message, and which frame of it comes next.
  enum class Content : std::uint8_t { none, header, body };
  Content content = Content::none;
  amqp::MethodId content_of;
  MessageBuilder builder;
};

}  // namespace haypile
