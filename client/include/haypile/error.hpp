// What the client library throws. All of it is a haypile::Error, so that one catch will do.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace haypile {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// No connection came about: nobody listens, the name is unknown, the URI makes no sense.
class ConnectionFailed : public Error {
 public:
  using Error::Error;
};

// An answer did not come in time. The connection is closed, since nobody knows what the broker did.
class TimedOut : public Error {
 public:
  using Error::Error;
};

// The broker closed a channel or a connection, and said why.
class Closed : public Error {
 public:
  Closed(std::uint16_t code, const std::string& reason, std::string method)
      : Error(reason), reply_code(code), method_name(std::move(method)) {}

  // As in AMQP 0-9-1, "constants": 404 not found, 406 precondition failed ... 0 if the broker said
  // nothing and the connection just ended. what() is the reply text.
  std::uint16_t reply_code;
  // The method that was refused, such as "queue.declare"; empty if there is none.
  std::string method_name;
};

// The channel cannot be used any more, its connection can: open another channel.
class ChannelClosed : public Closed {
 public:
  using Closed::Closed;
};

// The connection cannot be used any more, nor can any of its channels.
class ConnectionClosed : public Closed {
 public:
  using Closed::Closed;
};

}  // namespace haypile
