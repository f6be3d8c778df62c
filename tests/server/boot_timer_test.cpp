#include "server/boot_timer.hpp"

#include <doctest/doctest.h>

#include "server/clocks.hpp"

using namespace haypile;

TEST_CASE("a timer on the boot clock goes off at the time that it was set for last") {
  boost::asio::io_context io;
  int count = 0;
  server::BootTimer timer(io, [&] {
    if (++count == 2) timer.close();
  });
  timer.set(server::read_boot_clock() + 3'600'000);
  const engine::TimeMs when = server::read_boot_clock() + 20;
  timer.set(when);
  CHECK(io.run_one() == 1);
  CHECK(count == 1);
  CHECK(server::read_boot_clock() >= when);
  timer.set(0);  // already over
  io.restart();  // there was nothing left to wait for
  io.run();      // ends because the timer is closed
  CHECK(count == 2);
  io.restart();
  timer.set(1);
  CHECK(io.poll() == 0);
}
