#include "vhost/pressure.hpp"

#include <doctest/doctest.h>

using haypile::vhost::Pressure;

TEST_CASE("without limits and a log nobody waits") {
  Pressure pressure({});
  pressure.set_memory(1u << 30);
  CHECK_FALSE(pressure.holds_publishers());
  CHECK(pressure.alarm_text().empty());
}

TEST_CASE("the memory's alarm stays until a tenth is free") {
  Pressure pressure({.memory_max_bytes = 1000});
  const auto holds_at = [&](std::size_t bytes) {
    pressure.set_memory(bytes);
    CHECK(pressure.alarms().is_memory_low == pressure.holds_publishers());
    return pressure.holds_publishers();
  };
  CHECK_FALSE(holds_at(1000));
  CHECK(holds_at(1001));
  CHECK(pressure.alarm_text() == "low on memory");
  CHECK(holds_at(900));
  CHECK_FALSE(holds_at(899));
  CHECK_FALSE(holds_at(1000));
  CHECK(pressure.alarm_text().empty());
}

TEST_CASE("the disk's alarm stays until there is more room than it began with") {
  Pressure pressure({.disk_free_min_bytes = 800});
  const auto holds_with = [&](bool uses_reserve, std::uint64_t free_bytes) {
    pressure.set_disk(uses_reserve, free_bytes);
    return pressure.holds_publishers();
  };
  CHECK_FALSE(holds_with(false, 800));
  CHECK(holds_with(false, 799));
  CHECK(pressure.alarm_text() == "low on disk");
  CHECK(holds_with(false, 899));
  CHECK_FALSE(holds_with(false, 900));
  // However much is free, the reserve has to be complete again.
  CHECK(holds_with(true, 5000));
  CHECK_FALSE(holds_with(false, 5000));
}

TEST_CASE("publishers wait for a log that is behind, and clients are told nothing") {
  Pressure pressure({});
  pressure.set_log_behind(true);
  CHECK(pressure.holds_publishers());
  CHECK(pressure.alarm_text().empty());
  pressure.set_log_behind(false);
  CHECK_FALSE(pressure.holds_publishers());
}

TEST_CASE("the less memory there is, the less may be in hand") {
  Pressure pressure({.memory_max_bytes = 1000, .memory_beyond_max_bytes = 100});
  const auto unacked_max_at = [&](std::size_t bytes) {
    pressure.set_memory(bytes);
    return pressure.unacked_max();
  };
  using Max = haypile::engine::UnackedMax;
  CHECK(unacked_max_at(1000) == Max{});
  CHECK(unacked_max_at(1001) == Max{.to_consumers = 1000});
  CHECK(unacked_max_at(1100) == Max{.to_consumers = 1000});
  CHECK(unacked_max_at(1101) == Max{.to_consumers = 1, .to_gets = 100});
  CHECK(unacked_max_at(900) == Max{.to_consumers = 1000});
  CHECK(unacked_max_at(899) == Max{});
}
