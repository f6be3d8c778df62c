// What a Protocol tells the code that drives it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <haypile/amqp/types.hpp>
#include <haypile/message.hpp>

namespace haypile {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

// The number of a request on its connection. It rises; 0 is no request.
using RequestId = std::uint64_t;

// Who or what has ended a channel or a connection.
enum class Ending : std::uint8_t {
  ours,             // the program has closed it
  broker,           // the broker has closed it, with a reply code
  lost,             // the socket has ended, or the peer is silent
  timed_out,        // an answer, or the end of the handshake, did not come in time
  broken_protocol,  // the broker has violated the protocol
};

// Why a channel or a connection has ended. `code` and `method` are the broker's, or 0 and empty.
struct CloseReason {
  Ending ending = Ending::ours;
  std::uint16_t code = 0;
  std::string text;
  std::string method;
};

namespace event {

// The handshake is done.
struct Opened {};

// The answer to a request; `arguments` are well-formed arguments of `method`.
struct Reply {
  std::uint16_t channel;
  RequestId request;
  amqp::MethodId method;
  std::string arguments;
};

// The answer to basic.get.
struct Got {
  std::uint16_t channel;
  RequestId request;
  std::optional<Message> message;  // nothing: the queue is empty
};

struct Delivery {
  std::uint16_t channel;
  Message message;
};

// A mandatory message that no queue has taken. Its confirm comes later.
struct Returned {
  std::uint16_t channel;
  Message message;
};

// The broker has taken responsibility for a published message, or has refused it. `number` is that
// of a message that was published on this channel. It may have been settled before.
struct Confirmed {
  std::uint16_t channel;
  std::uint64_t number;
  bool multiple;  // all unconfirmed messages up to `number`
  bool refused;
};

// The broker has ended a consumer, for example because its queue was deleted.
struct ConsumerCancelled {
  std::uint16_t channel;
  std::string consumer_tag;
};

// The broker takes no more messages for now, or takes them again.
struct Blocked {
  bool blocked;
  std::string reason;
};

// The channel has ended, and the requests under way on it with it. Its number is free.
struct ChannelClosed {
  std::uint16_t channel;
  CloseReason reason;
};

// The connection has ended, and all of its channels with it. The last event.
struct Closed {
  CloseReason reason;
};

}  // namespace event

using Event = std::variant<event::Opened, event::Reply, event::Got, event::Delivery,
                           event::Returned, event::Confirmed, event::ConsumerCancelled,
                           event::Blocked, event::ChannelClosed, event::Closed>;

}  // namespace haypile
