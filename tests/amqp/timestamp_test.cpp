#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/timestamp.hpp>

using namespace haypile::amqp;
using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::system_clock;

TEST_CASE("a time becomes the second that it is in, and comes back") {
  const system_clock::time_point time =
      sys_days(std::chrono::year(2001) / 9 / 9) + 1h + 46min + 40s;
  CHECK(Timestamp::of(time) == Timestamp{1'000'000'000});
  CHECK(Timestamp::of(time + 999ms) == Timestamp{1'000'000'000});
  CHECK(Timestamp{1'000'000'000}.time() == time);
  CHECK(Timestamp::of(sys_seconds()) == Timestamp{0});
  CHECK(Timestamp{0}.time() == sys_seconds());
}

TEST_CASE("a time before 1970 is refused") {
  CHECK_THROWS_WITH_AS(Timestamp::of(sys_seconds(-1s)), "timestamp before 1970: -1 s",
                       std::out_of_range);
  CHECK_THROWS_AS(Timestamp::of(system_clock::time_point(-1ms)), std::out_of_range);
}

TEST_CASE("a timestamp that the clock cannot express is refused") {
  const Timestamp last = Timestamp::of(system_clock::time_point::max());
  CHECK(Timestamp::of(system_clock::time_point(last.time())) == last);
  CHECK_THROWS_AS(static_cast<void>(Timestamp{last.seconds + 1}.time()), std::out_of_range);
  CHECK_THROWS_WITH_AS(static_cast<void>(Timestamp{UINT64_MAX}.time()),
                       "timestamp too late for the clock: 18446744073709551615 s",
                       std::out_of_range);
}

TEST_CASE("the timestamp of a message is of the same type as one in a table") {
  const Timestamp time{1'700'000'000};
  const Table headers{{"time", time}};
  std::string raw;
  REQUIRE(append_properties(raw, {.headers = headers, .timestamp = time}));
  Properties decoded;
  REQUIRE(decode_properties(raw, decoded) == DecodeError::none);
  CHECK(decoded.timestamp == time);
  CHECK(decoded.timestamp == decoded.headers->get<Timestamp>("time"));
  CHECK_FALSE(std::is_convertible_v<std::uint64_t, Timestamp>);
}
