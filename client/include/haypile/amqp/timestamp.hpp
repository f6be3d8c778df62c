// Times on the wire.
#pragma once

#include <chrono>
#include <cstdint>

#include <haypile/config.hpp>

namespace haypile::amqp {

// A time in seconds since 1970-01-01 UTC (4.2.5.4), in tables and in the properties of a message.
//   {.timestamp = Timestamp::of(std::chrono::system_clock::now())}
struct Timestamp {
  std::uint64_t seconds = 0;

  // The second that `time` is in. Throws std::out_of_range if it is before 1970.
  template <class Duration>
  static Timestamp of(std::chrono::sys_time<Duration> time) {
    return of(std::chrono::floor<std::chrono::seconds>(time));
  }
  static Timestamp of(std::chrono::sys_seconds time);

  // The time for std::chrono. Throws std::out_of_range if std::chrono::system_clock cannot express
  // it (nanoseconds in 64 bits end in 2262), so that the conversion to its time_point is safe.
  std::chrono::sys_seconds time() const;

  bool operator==(const Timestamp&) const = default;
};

}  // namespace haypile::amqp
