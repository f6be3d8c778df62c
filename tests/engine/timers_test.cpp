// Which queue is due.
#include <doctest/doctest.h>

#include "engine/timers.hpp"
#include "support/engine_fixture.hpp"

using namespace haypile;
using engine::Timer;
using engine::Timers;

TEST_CASE("the first deadline comes first, and equal ones in the order in which they were armed") {
  test::EngineFixture fixture;
  engine::Queue& a = fixture.declare("a");
  engine::Queue& b = fixture.declare("b");
  engine::Queue& c = fixture.declare("c");
  Timers timers;
  Timer of_a;
  Timer of_b;
  Timer of_c;
  CHECK(timers.next_deadline() == engine::no_deadline);
  timers.arm(c, of_c, 30);
  timers.arm(b, of_b, 20);
  timers.arm(a, of_a, 20);
  CHECK(timers.next_deadline() == 20);
  CHECK(timers.due(19) == nullptr);
  CHECK(timers.due(20) == &b);
  timers.disarm(b, of_b);
  CHECK(timers.due(20) == &a);
  timers.disarm(a, of_a);
  CHECK(timers.due(29) == nullptr);
  CHECK(timers.due(30) == &c);
}

TEST_CASE("a deadline only moves forward, until it is disarmed") {
  test::EngineFixture fixture;
  engine::Queue& queue = fixture.declare("q");
  Timers timers;
  Timer timer;
  timers.arm(queue, timer, 50);
  timers.arm(queue, timer, 60);
  CHECK(timers.next_deadline() == 50);
  timers.arm(queue, timer, 40);
  CHECK(timers.next_deadline() == 40);
  timers.disarm(queue, timer);
  CHECK(timers.next_deadline() == engine::no_deadline);
  timers.disarm(queue, timer);
  timers.arm(queue, timer, 60);
  CHECK(timers.next_deadline() == 60);
}
