#include <haypile/amqp/timestamp.hpp>

#include <stdexcept>
#include <string>

namespace haypile::amqp {

using std::chrono::sys_seconds;
using std::chrono::system_clock;

Timestamp Timestamp::of(sys_seconds time) {
  const auto count = time.time_since_epoch().count();
  if (count < 0) throw std::out_of_range("timestamp before 1970: " + std::to_string(count) + " s");
  return {static_cast<std::uint64_t>(count)};
}

sys_seconds Timestamp::time() const {
  constexpr auto last = std::chrono::floor<std::chrono::seconds>(system_clock::time_point::max());
  constexpr auto last_count = static_cast<std::uint64_t>(last.time_since_epoch().count());
  if (seconds > last_count) {
    throw std::out_of_range("timestamp too late for the clock: " + std::to_string(seconds) + " s");
  }
  return sys_seconds(std::chrono::seconds(seconds));
}

}  // namespace haypile::amqp
