// What the client library throws. All classes derive from haypile::Error, so one catch is enough.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include <haypile/config.hpp>

namespace haypile {

// The base of all exceptions of the library; what() says what went wrong.
class HAYPILE_EXPORT Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// No connection could be made: nobody listens, the host is unknown, or the URI makes no sense.
class HAYPILE_EXPORT ConnectionFailed : public Error {
 public:
  using Error::Error;
};

// A time limit has passed. For basic_publish() and the methods that acknowledge it means that
// nothing was sent, and they can be called again; for all others, that the connection is closed,
// because nobody knows what the broker did.
class HAYPILE_EXPORT TimedOut : public Error {
 public:
  using Error::Error;
};

// wait_for_confirms() has reached the limit that it was given. Nothing has changed: the confirms
// can be waited for again.
class HAYPILE_EXPORT StillUnconfirmed : public Error {
 public:
  using Error::Error;
};

// The broker closed a channel or a connection, and this is why.
class HAYPILE_EXPORT Closed : public Error {
 public:
  Closed(std::uint16_t code, const std::string& reason, std::string method)
      : Error(reason), reply_code(code), method_name(std::move(method)) {}

  // A reply code of AMQP 0-9-1, section "constants": 404 not found, 406 precondition failed, and so
  // on; 0 if the connection ended without a reason from the broker. what() is the reply text.
  std::uint16_t reply_code;
  // The method that was refused, such as "queue.declare"; empty if there is none.
  std::string method_name;
};

// The channel cannot be used any more, but its connection can: open another channel.
class HAYPILE_EXPORT ChannelClosed : public Closed {
 public:
  using Closed::Closed;
};

// The connection and all of its channels cannot be used any more.
class HAYPILE_EXPORT ConnectionClosed : public Closed {
 public:
  using Closed::Closed;
};

}  // namespace haypile
